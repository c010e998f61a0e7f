/*
 * The launcher: executes a launch plan, a list of system calls that TypeScript has written down (README.md beside).
 *
 * It has no policy, allocates nothing but a plan's memory, and reads nothing but plans. It exists because namespaces can be entered only
 * by a single-threaded process (unshare(2), setns(2)), which a JavaScript runtime never is.
 *
 * Descriptors on entry: 0, 1, 2 the user's; 3 the plan pipe; 4 the report pipe; 5 and up what the plan names.
 * All from 3 on are closed when another program is executed, unless the plan says otherwise.
 *
 * Freestanding: no C library, no start files, one static file of a few kilobytes for x86_64 or aarch64.
 * kernel.h has the kernel's numbers and the one way into it, plan.h the byte format and the check of a plan, stand-by.h
 * how a child is waited for, monitor.h and log.h what is done for a box that outlives devbox.
 */
#include "kernel.h"
#include "plan.h"
#include "stand-by.h"
#include "log.h"
#include "monitor.h"

static int is_tolerated(const struct op *o, i64 error)
{
	for (u32 i = 0; i < o->tolerated_count; i++)
		if (o->tolerated[i] == error)
			return 1;
	return 0;
}

/* Make the call; the index of the operation to continue at. */
static u32 call(const struct op *o, const u64 *a, i64 *slots, u32 next)
{
	i64 result;
	do
		result = syscall6(o->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	while (result == -EINTR && !(o->flags & FLAG_NO_RETRY) && !is_tolerated(o, EINTR));

	int failed = result < 0 && result >= -MAX_ERRNO;
	if (failed && !is_tolerated(o, -result))
		fail(o->origin, (i32)-result, 0);
	if (o->save != NONE) {
		/* The slot is the only place that knows of the descriptor before. */
		if ((o->flags & FLAG_REPLACE) && slots[o->save] > 0)
			syscall6(NR_close, (u64)slots[o->save], 0, 0, 0, 0, 0);
		slots[o->save] = result;
	}
	if (failed && o->on_error != NONE)
		return o->on_error;
	if (result == 0 && o->on_zero != NONE)
		return o->on_zero;
	return next;
}

static void expect_success(const struct op *o, const u8 *status)
{
	u32 code = exit_status((u32)load_integer(status, 4));
	if (code != 0)
		fail(o->origin, 0, (i32)code);
}

static void empty(i64 *slots)
{
	for (u32 i = 0; i < MAX_SLOTS; i++)
		slots[i] = 0;
}

static u64 argument(const struct op *o, u32 i, u8 *data, const i64 *slots)
{
	switch (o->tag[i]) {
	case ARG_DATA:
		return (u64)(data + o->arg[i]);
	case ARG_SLOT:
		return (u64)slots[o->arg[i]];
	case ARG_NEGATED_SLOT:
		return 0 - (u64)slots[o->arg[i]];
	default:
		return o->arg[i];
	}
}

static void __attribute__((noreturn)) run(void)
{
	struct plan plan = receive_plan();
	i64 slots[MAX_SLOTS];

	empty(slots);
	for (u32 i = 0; i < plan.op_count;) {
		const struct op *o = &plan.ops[i++];
		u64 a[MAX_ARGS];
		for (u32 k = 0; k < MAX_ARGS; k++)
			a[k] = argument(o, k, plan.data, slots);
		switch (o->kind) {
		case OP_SYSCALL:
			i = call(o, a, slots, i);
			break;
		case OP_JUMP:
			i = o->on_zero;
			break;
		case OP_FORMAT:
			format((u8 *)a[1], a[0]);
			break;
		case OP_STORE:
			store((u8 *)a[1], a[0], o->number);
			break;
		case OP_LOAD:
			slots[o->save] = (i64)load_integer((const u8 *)a[1], o->number);
			break;
		case OP_REPORT:
			report(REPORT_EVENT, o->number, (i32)a[0], 0);
			break;
		case OP_EXPECT_SUCCESS:
			expect_success(o, (const u8 *)a[0]);
			break;
		case OP_FAIL:
			/* A slot holds the -errno of a tolerated failure. */
			fail(o->origin, o->tag[0] == ARG_SLOT ? (i32)-a[0] : (i32)o->number, 0);
		case OP_SUPERVISE:
		case OP_INIT:
			stand_by(o, (i64)a[0]);
		case OP_EXIT:
			leave(o->number);
		case OP_MONITOR:
			monitor(o, (i64)a[0], (i32)a[1], (const struct monitor_settings *)a[2]);
			break;
		case OP_CONTINUE:
			plan = receive_plan();
			empty(slots);
			i = 0;
			break;
		}
	}
	leave(0);
}

__attribute__((used, noreturn)) static void start(void)
{
	u64 none = 0;
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&none, 0, SIGSET_BYTES, 0, 0);
	/* Since 5.11, which rootless overlayfs needs as well (close_range(2)). */
	i64 result = syscall6(NR_close_range, PLAN_FD, ~0U, CLOSE_RANGE_CLOEXEC, 0, 0, 0);
	if (result < 0)
		fail(BAD_PLAN, (i32)-result, 5);
	run();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
#else
__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x30, xzr\n\tbl start\n\tbrk 0\n");
#endif
