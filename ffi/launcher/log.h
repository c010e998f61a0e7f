/*
 * The log of a box: frames in the file `log` of a directory (wire.ts, logFrameHeaderBytes), rotated to log.1, log.2 …
 *
 * A log must never stop a box: a frame that cannot be written, whole, is dropped.
 */
enum { FRAME_HEADER_BYTES = 16, CHUNK_BYTES = 16384 - FRAME_HEADER_BYTES };

struct frame {
	u32 length, stream;
	i64 time;
	u8 bytes[CHUNK_BYTES];
};

_Static_assert(sizeof(struct frame) == FRAME_HEADER_BYTES + CHUNK_BYTES, "a frame is written as it lies in memory");

struct log {
	i32 directory, file;          /* -1: none is kept; none is open */
	u32 max_files;
	u64 max_bytes;
};

static i64 now(u32 clock)
{
	struct timespec t = { 0, 0 };
	syscall6(NR_clock_gettime, clock, (u64)&t, 0, 0, 0, 0);
	return t.seconds * 1000000000 + t.nanoseconds;
}

/* "log", or "log.N". */
static void log_name(u8 *at, u32 number)
{
	*at++ = 'l';
	*at++ = 'o';
	*at++ = 'g';
	*at = 0;
	if (number > 0) {
		*at++ = '.';
		format(at, number);
	}
}

static void close_log(struct log *l)
{
	syscall6(NR_close, (u64)l->file, 0, 0, 0, 0, 0);
	l->file = -1;
}

/* Make every file older by one number; the last is overwritten. Was it possible? */
static int make_room(const struct log *l)
{
	u8 from[32], to[32];

	log_name(from, 0);
	if (l->max_files == 1)
		return syscall6(NR_unlinkat, (u64)l->directory, (u64)from, 0, 0, 0, 0) == 0;
	for (u32 n = l->max_files - 1; n > 0; n--) {
		log_name(from, n - 1);
		log_name(to, n);
		i64 result = syscall6(NR_renameat, (u64)l->directory, (u64)from, (u64)l->directory, (u64)to, 0, 0);
		if (result < 0 && result != -ENOENT)
			return 0;
	}
	return 1;
}

/* The size of the file that is open afterwards; negative: there is none. */
static i64 open_log(struct log *l)
{
	u8 name[32];

	if (l->file < 0) {
		log_name(name, 0);
		l->file = (i32)syscall6(NR_openat, (u64)l->directory, (u64)name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600, 0, 0);
	}
	return l->file < 0 ? -1 : syscall6(NR_lseek, (u64)l->file, 0, SEEK_END, 0, 0, 0);
}

static void write_frame(struct log *l, struct frame *f)
{
	u64 length = FRAME_HEADER_BYTES + f->length;

	if (l->directory < 0)
		return;
	i64 size = open_log(l);
	if (size > 0 && l->max_bytes > 0 && (u64)size + length > l->max_bytes) {
		close_log(l);
		size = make_room(l) ? open_log(l) : -1;
	}
	if (size < 0)
		return;
	f->time = now(CLOCK_REALTIME);
	i64 written = syscall6(NR_write, (u64)l->file, (u64)f, length, 0, 0, 0);
	/* The disk is full: what is there of the frame would hide those that follow. */
	if (written > 0 && (u64)written < length)
		syscall6(NR_ftruncate, (u64)l->file, (u64)size, 0, 0, 0, 0);
}
