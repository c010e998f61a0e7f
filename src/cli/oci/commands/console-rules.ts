/** When a terminal needs a console socket, and when there must be none. */
import { DevboxError } from "../../../core/errors.ts";

/** runc's rules: engines rely on being told. */
export function checkConsole(
  terminal: boolean,
  consoleSocket: string | undefined,
  place: "apart" | "foreground",
): void {
  const because = whyNot(terminal, consoleSocket !== undefined, place === "apart");
  if (because !== undefined) throw new DevboxError("USAGE", { step: "option --console-socket", because });
}

/**
 * Where what comes out of a terminal of ours goes to a file or a pipe, its lines end there as the command ended them. The
 * terminal of who calls is in raw mode meanwhile, and needs "\r\n".
 */
export function plainLines(): boolean {
  return process.stdout.isTTY !== true;
}

function whyNot(terminal: boolean, isGiven: boolean, isApart: boolean): string | undefined {
  if (!isApart && isGiven) return "cannot use console socket if devbox-oci will not detach or allocate tty";
  if (isApart && terminal && !isGiven)
    return "cannot allocate tty if devbox-oci will detach without setting console socket: use --console-socket PATH";
  if (isApart && !terminal && isGiven) return "cannot use console socket if devbox-oci will not detach or allocate tty";
  return undefined;
}
