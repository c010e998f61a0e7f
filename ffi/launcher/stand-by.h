/* How a child is waited for: signals that were sent to us go to it, others that end meanwhile are reaped. */

/* The exit status that stands for a wait status, as shells have it: 128 + n after signal n (wait4(2)). */
static u32 exit_status(u32 wait_status)
{
	u32 signal = wait_status & 0x7f;
	return signal != 0 ? 128 + signal : (wait_status >> 8) & 0xff;
}

/* Is there nobody left who could read the report? Then the process that started us is gone, whole (pipe(7), poll(2)). */
static int is_forsaken(void)
{
	struct pollfd p = { REPORT_FD, 0, 0 };
	struct timespec at_once = { 0, 0 };
	return syscall6(NR_ppoll, (u64)&p, 1, (u64)&at_once, 0, 0, 0) == 1 && (p.revents & POLLERR);
}

/* Take the wait status of every child that has ended; is `child` among them? `other` becomes 0 when that one is. */
static int reap(const struct op *o, i64 child, u32 *status, i64 *other)
{
	for (;;) {
		i64 pid = syscall6(NR_wait4, (u64)-1, (u64)status, WNOHANG | WALL, 0, 0, 0);
		if (pid == child)
			return 1;
		if (pid == 0)
			return 0;
		if (pid < 0 && pid != -EINTR)
			fail(o->origin, (i32)-pid, 0);
		if (pid == *other)
			*other = 0;
	}
}

/*
 * Block all signals: they come through the descriptor returned from here on (signalfd(2)). Look for ended children after
 * it: one that has ended before was reported to nobody.
 */
static i32 hold_signals(const struct op *o)
{
	u64 all = ~0UL;
	syscall6(NR_rt_sigprocmask, SIG_SETMASK, (u64)&all, 0, SIGSET_BYTES, 0, 0);
	i64 signals = syscall6(NR_signalfd4, (u64)-1, (u64)&all, SIGSET_BYTES, SFD_CLOEXEC, 0, 0);
	if (signals < 0)
		fail(o->origin, (i32)-signals, 0);
	return (i32)signals;
}

/* Take one signal (struct signalfd_siginfo), which must be there, and pass it on to the child. */
static void pass_signal_on(i32 signals, i64 child)
{
	struct { u32 number; i32 error, code; u8 rest[116]; } info;

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
	u32 status = 0;
	i64 nobody = 0;

	/* PID 1 of a box has nothing to report, and what it holds, the box can reach through /proc/1/fd. */
	if (o->kind == OP_INIT)
		syscall6(NR_close, REPORT_FD, 0, 0, 0, 0, 0);
	struct pollfd p[2] = { { hold_signals(o), POLLIN, 0 }, { REPORT_FD, 0, 0 } };
	while (!reap(o, child, &status, &nobody)) {
		if (tied && is_forsaken()) {
			/* SIGKILL, then wait: when PID 1 of a namespace is gone, so is all of it (pid_namespaces(7)). */
			syscall6(NR_kill, (u64)child, SIGKILL, 0, 0, 0, 0);
			tied = 0;
			continue;
		}
		if (syscall6(NR_ppoll, (u64)p, tied ? 2 : 1, 0, 0, 0, 0) > 0 && (p[0].revents & POLLIN))
			pass_signal_on(p[0].fd, child);
	}
	if (o->kind == OP_SUPERVISE)
		report(REPORT_EVENT, EVENT_EXITED, (i32)status, 0);
	leave(exit_status(status));
}
