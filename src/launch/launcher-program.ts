/**
 * The launcher's program: taken in as text when devbox is bundled (and by the test runner), so that starting it
 * reads no file. `scripts/build-launcher` makes the texts; the one of an architecture without a compiler is empty.
 */
import aarch64 from "../../dist/launcher-aarch64.txt" with { type: "text" };
import x86_64 from "../../dist/launcher-x86_64.txt" with { type: "text" };
import type { Architecture } from "../../ffi/syscalls.ts";
import { DevboxError } from "../core/errors.ts";

/** The program for `architecture`. Throws INTERNAL if it was not built. */
export function launcherProgram(architecture: Architecture): Uint8Array {
  const text = architecture === "x86_64" ? x86_64 : aarch64;
  if (text === "") {
    const because = `this devbox was built without the launcher for ${architecture}`;
    throw new DevboxError("INTERNAL", { step: "start the launcher", because });
  }
  return Buffer.from(text, "base64");
}

/** The architecture of this process. */
export const hostArchitecture: Architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
