/** Terminals: window size, raw mode. Through ioctl_tty(2), whose structures are the kernel's, not the C library's. */
import {
  BRKINT,
  CS8,
  CSIZE,
  ECHO,
  ECHONL,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNBRK,
  IGNCR,
  INLCR,
  ISIG,
  ISTRIP,
  IXON,
  OPOST,
  PARENB,
  PARMRK,
  TCGETS,
  TCSETSF,
  TIOCGWINSZ,
  TIOCSWINSZ,
  VMIN,
  VTIME,
} from "./constants.ts";
import { check, libc } from "./library.ts";
import { termiosBytes, termiosControlCharacters, type WindowSize, winsize } from "./structs.ts";

export type { WindowSize } from "./structs.ts";

/** ioctl_tty(2) TIOCGWINSZ. */
export function getWindowSize(fd: number): WindowSize {
  const size = winsize({ rows: 0, columns: 0 });
  check("ioctl TIOCGWINSZ", fd, libc().ioctl(fd, TIOCGWINSZ, size));
  return { rows: size[0] ?? 0, columns: size[1] ?? 0 };
}

/** ioctl_tty(2) TIOCSWINSZ; the foreground process group gets SIGWINCH if the size has changed. */
export function setWindowSize(fd: number, size: WindowSize): void {
  check("ioctl TIOCSWINSZ", fd, libc().ioctl(fd, TIOCSWINSZ, winsize(size)));
}

/** The state of a terminal, opaque: keep it to restore it. */
export interface TerminalState {
  readonly termios: Uint8Array;
}

/** tcgetattr(3). */
export function getTerminalState(fd: number): TerminalState {
  const termios = new Uint8Array(termiosBytes);
  check("ioctl TCGETS", fd, libc().ioctl(fd, TCGETS, termios));
  return { termios };
}

/** tcsetattr(3) TCSAFLUSH: after pending output is written; unread input is dropped. */
export function setTerminalState(fd: number, state: TerminalState): void {
  check("ioctl TCSETSF", fd, libc().ioctl(fd, TCSETSF, state.termios));
}

/** The same state in raw mode: what cfmakeraw of termios(3) does, and reads that return from the first byte on. */
export function rawState(state: TerminalState): TerminalState {
  const termios = state.termios.slice();
  const flags = new DataView(termios.buffer);
  const clear = (offset: number, bits: number, set = 0): void =>
    flags.setUint32(offset, (flags.getUint32(offset, true) & ~bits) | set, true);
  clear(0, IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  clear(4, OPOST);
  clear(8, CSIZE | PARENB, CS8);
  clear(12, ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  termios[termiosControlCharacters + VMIN] = 1;
  termios[termiosControlCharacters + VTIME] = 0;
  return { termios };
}
