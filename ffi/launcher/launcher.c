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
 * The byte format is that of encode.ts; the two tables between the BEGIN and END lines must be equal in both files.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef short i16;
typedef int i32;
typedef long i64;

_Static_assert(sizeof(u64) == 8 && sizeof(void *) == 8, "the plan holds 64-bit addresses");

/* BEGIN wire */
enum { MAGIC = 0x4c785644, VERSION = 2, MAX_PLAN_BYTES = 0x1000000 };
enum { HEADER_BYTES = 40, OP_BYTES = 96, RELOCATION_BYTES = 8, REPORT_BYTES = 16 };
enum { MAX_SLOTS = 128, MAX_ARGS = 6, MAX_TOLERATED = 8, NONE = 0xffff };
enum { OP_SYSCALL, OP_JUMP, OP_FORMAT, OP_STORE, OP_LOAD, OP_REPORT, OP_EXPECT_SUCCESS, OP_FAIL,
       OP_SUPERVISE, OP_INIT, OP_EXIT, OP_CONTINUE };
enum { ARG_IMMEDIATE, ARG_DATA, ARG_SLOT };
enum { FLAG_NO_RETRY = 1, FLAG_REPLACE = 2, FLAG_TIED = 1 };
enum { REPORT_EVENT, REPORT_FAILED };
enum { EVENT_STARTED, EVENT_READY, EVENT_EXITED };
enum { BAD_PLAN = 0xffffffff };
/* END wire */

struct header {
  u32 magic, version, size, op_count;
  u32 op_offset, data_offset, data_size;
  u32 relocation_offset, relocation_count, unused;
};

/* The address of data block `to` is stored at offset `at` of the data, once, at the start. */
struct relocation {
  u32 at, to;
};

struct op {
  u16 kind;
  u16 flags;
  u32 number;                   /* system call, event, errno, exit status, or width of a store or load */
  u32 origin;                   /* index of this operation in the plan as TypeScript sees it, for reports */
  u16 save;                     /* slot of the result, or NONE */
  u16 on_zero, on_error;        /* operations to continue at, or NONE */
  u8 tag[MAX_ARGS];             /* ARG_* */
  u8 tolerated_count, unused[7];
  u16 tolerated[MAX_TOLERATED]; /* errno values that are no failure */
  u64 arg[MAX_ARGS];
};

struct report {
  u32 kind, what;               /* what: event, or origin of the failed operation */
  i32 value, detail;            /* value: of the event, or errno */
};

_Static_assert(sizeof(struct header) == HEADER_BYTES && sizeof(struct op) == OP_BYTES, "as in encode.ts");
_Static_assert(sizeof(struct relocation) == RELOCATION_BYTES && sizeof(struct report) == REPORT_BYTES, "as in encode.ts");

/* The few calls that the launcher makes of its own accord (asm/unistd_64.h, asm-generic/unistd.h). */
#if defined(__x86_64__)
enum { NR_read = 0, NR_write = 1, NR_close = 3, NR_mmap = 9, NR_rt_sigprocmask = 14, NR_kill = 62,
       NR_wait4 = 61, NR_rt_sigtimedwait = 128, NR_exit_group = 231,
       NR_ppoll = 271, NR_signalfd4 = 289, NR_close_range = 436 };
#elif defined(__aarch64__)
enum { NR_read = 63, NR_write = 64, NR_close = 57, NR_mmap = 222, NR_rt_sigprocmask = 135, NR_kill = 129,
       NR_wait4 = 260, NR_rt_sigtimedwait = 137, NR_exit_group = 94,
       NR_ppoll = 73, NR_signalfd4 = 74, NR_close_range = 436 };
#else
#error "the launcher knows x86_64 and aarch64"
#endif

enum { PLAN_FD = 3, REPORT_FD = 4 };
enum { EXIT_FAILED = 125 };     /* docker run(1): "125 if the error is with the daemon itself" */
enum { ECHILD = 10, EINTR = 4, EPIPE = 32, EINVAL = 22, MAX_ERRNO = 4095 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };
enum { CLOSE_RANGE_CLOEXEC = 4, SIG_BLOCK = 0, SIG_SETMASK = 2, SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIGSET_BYTES = 8, SFD_CLOEXEC = 02000000 };
enum { WNOHANG = 1, WALL = 0x40000000, POLLIN = 1, POLLERR = 8 };

static i64 syscall6(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
#if defined(__x86_64__)
	i64 result;
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#else
	register u64 x8 __asm__("x8") = number;
	register u64 x0 __asm__("x0") = a;
	register u64 x1 __asm__("x1") = b;
	register u64 x2 __asm__("x2") = c;
	register u64 x3 __asm__("x3") = d;
	register u64 x4 __asm__("x4") = e;
	register u64 x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return (i64)x0;
#endif
}

static void __attribute__((noreturn)) leave(u32 status)
{
	for (;;)
		syscall6(NR_exit_group, status, 0, 0, 0, 0, 0);
}

/*
 * One write of less than PIPE_BUF bytes: atomic, however many processes of this plan report (pipe(7)).
 * Who started us may have left: then the report is lost, and the SIGPIPE that comes with it is taken away.
 */
static void report(u32 kind, u32 what, i32 value, i32 detail)
{
	struct report r = { kind, what, value, detail };
	u64 before = 0, pipe = 1UL << (SIGPIPE - 1), at_once[2] = { 0, 0 };
	i64 result;

	syscall6(NR_rt_sigprocmask, SIG_BLOCK, (u64)&pipe, (u64)&before, SIGSET_BYTES, 0, 0);
	do
		result = syscall6(NR_write, REPORT_FD, (u64)&r, sizeof(r), 0, 0, 0);
	while (result == -EINTR);
	if (result == -EPIPE)
		syscall6(NR_rt_sigtimedwait, (u64)&pipe, 0, (u64)at_once, SIGSET_BYTES, 0, 0);
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&before, 0, SIGSET_BYTES, 0, 0);
}

static void __attribute__((noreturn)) fail(u32 origin, i32 error, i32 detail)
{
	report(REPORT_FAILED, origin, error, detail);
	leave(EXIT_FAILED);
}

/* The plan after `receive_plan`: all offsets and indices in it are in bounds. */
struct plan {
	const struct op *ops;
	u32 op_count;
	u8 *data;
};

static int inside(u64 offset, u64 length, u64 size)
{
	return offset <= size && length <= size - offset;
}

static int is_jump_target(u16 index, u32 op_count)
{
	/* Behind the last operation is a place too: the end of the plan. */
	return index == NONE || index <= op_count;
}

/* How many bytes the operation itself reads or writes at the data block that is argument `i`. */
static u64 bytes_at_argument(const struct op *o, u32 i)
{
	if (o->kind == OP_FORMAT && i == 1)
		return 21;              /* 2^64 has 20 digits, and NUL */
	if ((o->kind == OP_STORE || o->kind == OP_LOAD) && i == 1)
		return o->number;
	if (o->kind == OP_EXPECT_SUCCESS && i == 0)
		return 4;
	return 0;
}

static int is_valid(const struct op *o, const struct header *h)
{
	if (o->kind > OP_CONTINUE || o->tolerated_count > MAX_TOLERATED)
		return 0;
	if (o->save != NONE && o->save >= MAX_SLOTS)
		return 0;
	if (!is_jump_target(o->on_zero, h->op_count) || !is_jump_target(o->on_error, h->op_count))
		return 0;
	if (o->kind == OP_JUMP && o->on_zero == NONE)
		return 0;
	if ((o->kind == OP_STORE || o->kind == OP_LOAD) && o->number != 4 && o->number != 8)
		return 0;
	if ((o->kind == OP_FORMAT || o->kind == OP_STORE || o->kind == OP_LOAD) && o->tag[1] != ARG_DATA)
		return 0;
	if (o->kind == OP_LOAD && o->save == NONE)
		return 0;
	if (o->kind == OP_EXPECT_SUCCESS && o->tag[0] != ARG_DATA)
		return 0;
	for (u32 i = 0; i < MAX_ARGS; i++) {
		if (o->tag[i] > ARG_SLOT)
			return 0;
		if (o->tag[i] == ARG_SLOT && o->arg[i] >= MAX_SLOTS)
			return 0;
		if (o->tag[i] == ARG_DATA && !inside(o->arg[i], bytes_at_argument(o, i), h->data_size))
			return 0;
	}
	return 1;
}

/* Byte by byte: what plans point to need not be aligned. */
static void store(u8 *at, u64 value, u32 width)
{
	for (u32 i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

static u64 load_integer(const u8 *at, u32 width)
{
	u64 value = 0;
	for (u32 i = 0; i < width; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

/* The next bytes of the plan pipe. Its end means that whoever started us has given up, or is gone. */
static void receive(u8 *into, u64 length)
{
	while (length > 0) {
		i64 got = syscall6(NR_read, PLAN_FD, (u64)into, length, 0, 0, 0);
		if (got == -EINTR)
			continue;
		if (got < 0)
			fail(BAD_PLAN, (i32)-got, 0);
		if (got == 0)
			leave(EXIT_FAILED);
		into += got;
		length -= (u64)got;
	}
}

/*
 * Take the next plan out of the pipe, into memory of our own, where nobody can change it under the checks that follow;
 * check every offset and index in it once, and put the addresses in place.
 */
static struct plan receive_plan(void)
{
	struct header head;
	receive((u8 *)&head, HEADER_BYTES);
	if (head.magic != MAGIC || head.version != VERSION || head.size < HEADER_BYTES || head.size > MAX_PLAN_BYTES ||
	    head.op_count >= NONE)
		fail(BAD_PLAN, EINVAL, 1);
	i64 address = syscall6(NR_mmap, 0, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (u64)-1, 0);
	if (address < 0 && address >= -MAX_ERRNO)
		fail(BAD_PLAN, (i32)-address, 0);

	u8 *base = (u8 *)address;
	const struct header *h = &head;
	receive(base + HEADER_BYTES, h->size - HEADER_BYTES);
	if (h->op_offset % 8 != 0 || !inside(h->op_offset, (u64)h->op_count * OP_BYTES, h->size) ||
	    h->relocation_offset % 8 != 0 ||
	    !inside(h->relocation_offset, (u64)h->relocation_count * RELOCATION_BYTES, h->size) ||
	    !inside(h->data_offset, h->data_size, h->size))
		fail(BAD_PLAN, EINVAL, 2);

	struct plan plan = { (const struct op *)(base + h->op_offset), h->op_count, base + h->data_offset };
	for (u32 i = 0; i < h->op_count; i++)
		if (!is_valid(&plan.ops[i], h))
			fail(BAD_PLAN, EINVAL, 3);
	const struct relocation *r = (const struct relocation *)(base + h->relocation_offset);
	for (u32 i = 0; i < h->relocation_count; i++) {
		if (!inside(r[i].at, 8, h->data_size) || r[i].to > h->data_size)
			fail(BAD_PLAN, EINVAL, 4);
		store(plan.data + r[i].at, (u64)(plan.data + r[i].to), 8);
	}
	return plan;
}

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

/* Decimal digits and NUL. */
static void format(u8 *at, u64 value)
{
	u8 digits[20];
	u32 n = 0;
	do
		digits[n++] = (u8)('0' + value % 10);
	while ((value /= 10) != 0);
	while (n > 0)
		*at++ = digits[--n];
	*at = 0;
}

/* The exit status that stands for a wait status, as shells have it: 128 + n after signal n (wait4(2)). */
static u32 exit_status(u32 wait_status)
{
	u32 signal = wait_status & 0x7f;
	return signal != 0 ? 128 + signal : (wait_status >> 8) & 0xff;
}

/* Is there nobody left who could read the report? Then the process that started us is gone, whole (pipe(7), poll(2)). */
static int is_forsaken(void)
{
	struct { i32 fd; i16 events, revents; } p = { REPORT_FD, 0, 0 };
	u64 at_once[2] = { 0, 0 };
	return syscall6(NR_ppoll, (u64)&p, 1, (u64)at_once, 0, 0, 0) == 1 && (p.revents & POLLERR);
}

/* Take the wait status of every child that has ended; is `child` among them? */
static int reap(const struct op *o, i64 child, u32 *status)
{
	for (;;) {
		i64 pid = syscall6(NR_wait4, (u64)-1, (u64)status, WNOHANG | WALL, 0, 0, 0);
		if (pid == child)
			return 1;
		if (pid == 0)
			return 0;
		if (pid < 0 && pid != -EINTR)
			fail(o->origin, (i32)-pid, 0);
	}
}

/* Block until a signal has come (it is read: struct signalfd_siginfo) or, if tied, until we are forsaken. */
static void pass_signal_on(int signals, int tied, i64 child)
{
	struct { i32 fd; i16 events, revents; } p[2] = { { signals, POLLIN, 0 }, { REPORT_FD, 0, 0 } };
	struct { u32 number; i32 error, code; u8 rest[116]; } info;

	if (syscall6(NR_ppoll, (u64)p, tied ? 2 : 1, 0, 0, 0, 0) < 0 || !(p[0].revents & POLLIN))
		return;
	if (syscall6(NR_read, (u64)signals, (u64)&info, sizeof(info), 0, 0, 0) != (i64)sizeof(info))
		return;
	/*
	 * Only what a process has sent (code <= 0, sigaction(2)): what the terminal sends, it sends to the whole
	 * foreground process group, hence to the child as well.
	 */
	if (info.number != SIGCHLD && info.code <= 0)
		syscall6(NR_kill, (u64)child, info.number, 0, 0, 0, 0);
}

/*
 * Stand by a child until it ends, reaping others, and end as it did. Serves the supervisor (OP_SUPERVISE: reports the
 * end; if tied, does not outlive whoever reads the report, and neither does the child) and PID 1 (OP_INIT).
 *
 * The parent's death is seen by the report pipe and not by PR_SET_PDEATHSIG, which tells of the death of a thread, not
 * of a process, and is forgotten whenever credentials change (prctl(2)).
 */
static void __attribute__((noreturn)) stand_by(const struct op *o, i64 child)
{
	int tied = o->kind == OP_SUPERVISE && (o->flags & FLAG_TIED);
	u64 all = ~0UL;
	u32 status = 0;

	/* PID 1 of a box has nothing to report, and what it holds, the box can reach through /proc/1/fd. */
	if (o->kind == OP_INIT)
		syscall6(NR_close, REPORT_FD, 0, 0, 0, 0, 0);
	/* Block first, look for ended children after: a child that has ended before was reported to nobody. */
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&all, 0, SIGSET_BYTES, 0, 0);
	i64 signals = syscall6(NR_signalfd4, (u64)-1, (u64)&all, SIGSET_BYTES, SFD_CLOEXEC, 0, 0);
	if (signals < 0)
		fail(o->origin, (i32)-signals, 0);
	while (!reap(o, child, &status)) {
		if (tied && is_forsaken()) {
			/* SIGKILL, then wait: when PID 1 of a namespace is gone, so is all of it (pid_namespaces(7)). */
			syscall6(NR_kill, (u64)child, SIGKILL, 0, 0, 0, 0);
			tied = 0;
			continue;
		}
		pass_signal_on((int)signals, tied, child);
	}
	if (o->kind == OP_SUPERVISE)
		report(REPORT_EVENT, EVENT_EXITED, (i32)status, 0);
	leave(exit_status(status));
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

static void __attribute__((noreturn)) run(void)
{
	struct plan plan = receive_plan();
	i64 slots[MAX_SLOTS];

	empty(slots);
	for (u32 i = 0; i < plan.op_count;) {
		const struct op *o = &plan.ops[i++];
		u64 a[MAX_ARGS];
		for (u32 k = 0; k < MAX_ARGS; k++)
			a[k] = o->tag[k] == ARG_DATA   ? (u64)(plan.data + o->arg[k])
			       : o->tag[k] == ARG_SLOT ? (u64)slots[o->arg[k]]
						       : o->arg[k];
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
