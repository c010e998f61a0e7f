/*
 * OP_MONITOR: stand by a box that outlives devbox. Its output goes into its log, input and sizes go to its terminal, and a
 * program is started again and again beside it (health checks). All in one loop around poll(2), none of which may wait:
 * a box that does not read its input must not stop its output, and nothing must stop its end from being seen.
 */

/* As encode-monitor.ts writes it. Descriptors are -1 where there is none. */
struct monitor_settings {
	i32 output, error, input, resize, log, ended;
	u32 max_files, unused;
	u64 max_bytes;
	u64 interval, start_interval, start_period;  /* milliseconds */
	u64 path, argv, envp;                        /* 0: no program */
};

_Static_assert(sizeof(struct monitor_settings) == MONITOR_BYTES, "as in encode-monitor.ts");

/* Whom we listen to, by their places in the array for poll(2). A descriptor of -1 is passed over (poll(2)). */
enum { SIGNALS, OUTPUT, ERROR, TERMINAL, INPUT, RESIZE, SOURCES };

/* More than any pipe holds that a user may make (pipe(7), pipe-max-size); for terminals, which hold less. */
enum { DRAIN_BYTES = 1 << 20 };

enum { MILLISECOND = 1000000, SECOND = 1000000000 };

struct watch {
	const struct monitor_settings *settings;
	struct pollfd sources[SOURCES];
	struct log log;
	i32 terminal;                 /* its master, listened to or not */
	i64 beat;                     /* the program under way, or 0 */
	i64 started, next_beat;       /* CLOCK_MONOTONIC; 0: not settled yet */
	i64 listen_again;             /* to the terminal; 0: we do, or there is none */
	u32 pending, pending_at;      /* bytes for the terminal that it did not take yet */
	u8 typed[1024];
	struct frame frame;
};

static void forget(struct pollfd *source)
{
	syscall6(NR_close, (u64)source->fd, 0, 0, 0, 0, 0);
	source->fd = -1;
}

static void listen(struct watch *w)
{
	w->sources[TERMINAL].fd = w->terminal;
	w->listen_again = 0;
}

/* Put into the log what one of the outputs has now: how much that was. */
static u64 take_output(struct watch *w, u32 i)
{
	struct pollfd *source = &w->sources[i];
	struct frame *f = &w->frame;
	u64 most = CHUNK_BYTES;

	/* A frame of its own must fit into a file. */
	if (w->log.max_bytes > 0 && w->log.max_bytes - FRAME_HEADER_BYTES < most)
		most = w->log.max_bytes - FRAME_HEADER_BYTES;
	i64 got = syscall6(NR_read, (u64)source->fd, (u64)f->bytes, most, 0, 0, 0);
	if (got > 0) {
		f->length = (u32)got;
		f->stream = i == ERROR ? 2 : 1;
		write_frame(&w->log, f);
		return (u64)got;
	}
	if (got == -EAGAIN || got == -EINTR)
		return 0;
	/*
	 * Nobody is left who could print. A pipe ends; the master of a terminal gives EIO (pty(7)) until somebody opens
	 * its slave again, which nothing tells. It stays open: closing it would hang up those whom it controls.
	 */
	if (i == TERMINAL) {
		source->fd = -1;
		w->listen_again = now(CLOCK_MONOTONIC) + SECOND;
	} else
		forget(source);
	return 0;
}

/* What was typed: read only when all that came before is with the terminal, so that who types faster must wait. */
static void take_input(struct watch *w)
{
	struct pollfd *source = &w->sources[INPUT];
	i64 got = syscall6(NR_read, (u64)source->fd, (u64)w->typed, sizeof(w->typed), 0, 0, 0);

	if (got > 0) {
		w->pending = (u32)got;
		w->pending_at = 0;
	} else if (got != -EAGAIN && got != -EINTR)
		forget(source);
}

static void give_input(struct watch *w)
{
	i64 given = syscall6(NR_write, (u64)w->terminal, (u64)(w->typed + w->pending_at), w->pending, 0, 0, 0);

	if (given > 0) {
		w->pending_at += (u32)given;
		w->pending -= (u32)given;
	} else if (given != -EAGAIN && given != -EINTR)
		w->pending = 0;         /* nobody will ever read it */
}

static void take_size(struct watch *w)
{
	struct pollfd *source = &w->sources[RESIZE];
	u64 size = 0;                 /* struct winsize (ioctl_tty(2)) */
	i64 got = syscall6(NR_read, (u64)source->fd, (u64)&size, sizeof(size), 0, 0, 0);

	if (got == (i64)sizeof(size))
		syscall6(NR_ioctl, (u64)w->terminal, TIOCSWINSZ, (u64)&size, 0, 0, 0);
	else if (got <= 0 && got != -EAGAIN && got != -EINTR)
		forget(source);
}

/* All descriptors but 0, 1, 2 are closed on exec from the launcher's start. */
static i64 start_program(const struct monitor_settings *s)
{
	u64 none = 0;
	i64 pid = syscall6(NR_clone, SIGCHLD, 0, 0, 0, 0, 0);

	if (pid != 0)
		return pid;
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&none, 0, SIGSET_BYTES, 0, 0);
	syscall6(NR_execve, s->path, s->argv, s->envp, 0, 0, 0);
	leave(EXIT_FAILED);
}

/* One program at a time, each an interval after the last one has ended, as docker's health checks. */
static void beat(struct watch *w)
{
	const struct monitor_settings *s = w->settings;
	i64 time = now(CLOCK_MONOTONIC);

	if (w->beat != 0)
		return;
	if (w->next_beat != 0 && time >= w->next_beat) {
		w->beat = start_program(s);
		w->next_beat = 0;
		if (w->beat > 0)
			return;
		w->beat = 0;            /* without memory for it: later */
	}
	if (w->next_beat == 0) {
		int early = (u64)(time - w->started) / MILLISECOND < s->start_period;
		w->next_beat = time + (i64)(early ? s->start_interval : s->interval) * MILLISECOND;
	}
}

/* When there is something to do, although nothing has come; 0: never. */
static i64 next_time(const struct watch *w)
{
	i64 next = w->settings->path != 0 && w->beat == 0 ? w->next_beat : 0;
	return w->listen_again != 0 && (next == 0 || w->listen_again < next) ? w->listen_again : next;
}

/* Wait until there is something to do. What has come is in `revents`. */
static void wait_for_any(struct watch *w)
{
	struct timespec rest = { 0, 0 };
	struct pollfd *p = w->sources;
	i64 next = next_time(w);
	i64 left = next - now(CLOCK_MONOTONIC);
	i32 input = p[INPUT].fd;

	if (left > 0)
		rest = (struct timespec){ left / SECOND, left % SECOND };
	p[TERMINAL].events = w->pending > 0 ? POLLIN | POLLOUT : POLLIN;
	if (w->pending > 0)
		p[INPUT].fd = -1;
	i64 ready = syscall6(NR_ppoll, (u64)p, SOURCES, next != 0 ? (u64)&rest : 0, 0, 0, 0);
	p[INPUT].fd = input;
	for (u32 i = 0; ready <= 0 && i < SOURCES; i++)
		p[i].revents = 0;
}

/* One round for everybody who has something. */
static void serve(struct watch *w)
{
	struct pollfd *p = w->sources;

	for (u32 i = OUTPUT; i <= TERMINAL; i++)
		if (p[i].revents & ~POLLOUT)
			take_output(w, i);
	if (p[INPUT].revents)
		take_input(w);
	if (p[RESIZE].revents)
		take_size(w);
	if (w->pending > 0)
		give_input(w);
	if (w->listen_again != 0 && now(CLOCK_MONOTONIC) >= w->listen_again)
		listen(w);
}

/*
 * The child has ended. Take what is still there of its output, and not what others may yet print who hold the same pipe or
 * terminal: they can do that for ever.
 */
static void drain(struct watch *w)
{
	struct timespec at_once = { 0, 0 };
	struct pollfd *p = w->sources;
	u64 left[SOURCES], taken = 1;

	listen(w);
	for (u32 i = OUTPUT; i <= TERMINAL; i++) {
		i64 room = syscall6(NR_fcntl, (u64)p[i].fd, F_GETPIPE_SZ, 0, 0, 0, 0);
		left[i] = room > 0 ? (u64)room : DRAIN_BYTES;
		p[i].events = POLLIN;
	}
	while (taken > 0) {
		taken = 0;
		if (syscall6(NR_ppoll, (u64)(p + OUTPUT), TERMINAL - OUTPUT + 1, (u64)&at_once, 0, 0, 0) <= 0)
			return;
		for (u32 i = OUTPUT; i <= TERMINAL; i++) {
			if (p[i].fd < 0 || !p[i].revents || left[i] == 0)
				continue;
			u64 got = take_output(w, i);
			left[i] -= got < left[i] ? got : left[i];
			taken += got;
		}
	}
}

/* Let signals through again, but none of those that came for the child, which is gone: they would end us instead. */
static void release_signals(i32 signals)
{
	struct timespec at_once = { 0, 0 };
	u64 all = ~0UL, none = 0;

	syscall6(NR_close, (u64)signals, 0, 0, 0, 0, 0);
	while (syscall6(NR_rt_sigtimedwait, (u64)&all, 0, (u64)&at_once, SIGSET_BYTES, 0, 0) > 0)
		;
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&none, 0, SIGSET_BYTES, 0, 0);
}

static void begin_watch(struct watch *w, const struct op *o, i32 terminal, const struct monitor_settings *s)
{
	const i32 descriptors[SOURCES] = { hold_signals(o), s->output, s->error, terminal, s->input, s->resize };

	for (u32 i = 0; i < SOURCES; i++)
		w->sources[i] = (struct pollfd){ descriptors[i], POLLIN, 0 };
	/* Whoever opened the terminal may have left it blocking, so that a write waits for the box. */
	i64 flags = syscall6(NR_fcntl, (u64)terminal, F_GETFL, 0, 0, 0, 0);
	if (flags >= 0)
		syscall6(NR_fcntl, (u64)terminal, F_SETFL, (u64)flags | O_NONBLOCK, 0, 0, 0);
	w->settings = s;
	w->log = (struct log){ s->log, -1, s->max_files, s->max_bytes };
	w->terminal = terminal;
	w->beat = w->next_beat = w->listen_again = 0;
	w->pending = w->pending_at = 0;
	w->started = now(CLOCK_MONOTONIC);
}

static void monitor(const struct op *o, i64 child, i32 terminal, const struct monitor_settings *s)
{
	struct watch w;
	u32 status = 0;

	/* The rest is for the kernel to refuse; these are counted with. */
	if (s->max_files == 0 || (s->max_bytes > 0 && s->max_bytes <= FRAME_HEADER_BYTES))
		fail(o->origin, EINVAL, 0);
	begin_watch(&w, o, terminal, s);
	while (!reap(o, child, &status, &w.beat)) {
		if (s->path != 0)
			beat(&w);
		wait_for_any(&w);
		if (w.sources[SIGNALS].revents & POLLIN)
			pass_signal_on(w.sources[SIGNALS].fd, child);
		serve(&w);
	}
	drain(&w);
	struct { i32 status; u32 unused; i64 time; } end = { (i32)status, 0, now(CLOCK_REALTIME) };
	if (s->ended >= 0)
		syscall6(NR_pwrite64, (u64)s->ended, (u64)&end, sizeof(end), 0, 0, 0);
	report(REPORT_EVENT, EVENT_EXITED, (i32)status, 0);
	release_signals(w.sources[SIGNALS].fd);
}
