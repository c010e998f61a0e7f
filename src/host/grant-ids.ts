/** The line by which an administrator grants a user ids of a box: ids that nobody has been granted yet. */
import { readFileSync } from "node:fs";

/** Where useradd(8) begins (login.defs(5), SUB_UID_MIN). */
const firstId = 100_000;
const count = 65_536;

/** usermod(8) for `userName`. `granted`: the text of subuid(5) and subgid(5) files; two users must not share ids. */
export function grantLine(userName: string, granted: readonly string[] = readGranted()): string {
  const ends = granted
    .flatMap((text) => text.split("\n"))
    .map((line) => /^[^:#]+:(\d+):(\d+)\s*$/.exec(line))
    .map((match) => (match === null ? 0 : Number(match[1]) + Number(match[2])));
  const start = Math.max(firstId, ...ends);
  const range = `${start}-${start + count - 1}`;
  return `sudo usermod --add-subuids ${range} --add-subgids ${range} ${userName}`;
}

function readGranted(): string[] {
  return ["/etc/subuid", "/etc/subgid"].map((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return ""; // usermod makes it
    }
  });
}
