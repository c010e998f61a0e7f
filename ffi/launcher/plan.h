/*
 * A plan as bytes: its format, how it is read from the plan pipe and checked, and the reports that go back.
 * The byte format is that of encode.ts; the table between the BEGIN and END lines must be equal to the one of format.ts.
 */
/* BEGIN wire */
enum { MAGIC = 0x4c785644, VERSION = 3, MAX_PLAN_BYTES = 0x1000000 };
enum { HEADER_BYTES = 40, OP_BYTES = 96, RELOCATION_BYTES = 8, REPORT_BYTES = 16, MONITOR_BYTES = 88 };
enum { MAX_SLOTS = 128, MAX_ARGS = 6, MAX_TOLERATED = 8, NONE = 0xffff };
enum { OP_SYSCALL, OP_JUMP, OP_FORMAT, OP_STORE, OP_LOAD, OP_REPORT, OP_EXPECT_SUCCESS, OP_FAIL,
       OP_SUPERVISE, OP_INIT, OP_EXIT, OP_CONTINUE, OP_MONITOR };
enum { ARG_IMMEDIATE, ARG_DATA, ARG_SLOT, ARG_NEGATED_SLOT };
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
	if (o->kind == OP_MONITOR && i == 2)
		return MONITOR_BYTES;
	return 0;
}

static int is_valid(const struct op *o, const struct header *h)
{
	if (o->kind > OP_MONITOR || o->tolerated_count > MAX_TOLERATED)
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
	/* Read in place, as a structure. */
	if (o->kind == OP_MONITOR && (o->tag[2] != ARG_DATA || (h->data_offset + o->arg[2]) % 8 != 0))
		return 0;
	for (u32 i = 0; i < MAX_ARGS; i++) {
		if (o->tag[i] > ARG_NEGATED_SLOT)
			return 0;
		if (o->tag[i] >= ARG_SLOT && o->arg[i] >= MAX_SLOTS)
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

/* Decimal digits and NUL, at most 21 bytes. */
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
