/** From whatever went wrong within a layer to the one error that names layer, entry and reason. */
import { DevboxError, describeCause, type ErrorCode, errnoName } from "../core/errors.ts";
import { display } from "./byte-string.ts";
import type { TarEntry } from "./tar/entry.ts";

/** Run a step of an entry; its failure names the entry. */
export function inEntry(entry: TarEntry | undefined, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (entry === undefined) throw error;
    const name = display(entry.path);
    throw describe(error, (inner) =>
      inner === undefined ? name : inner.startsWith(name) ? inner : `${name}: ${inner}`,
    );
  }
}

/** A failure of the whole layer: `apply layer 3 of 7 (sha256:…): etc/passwd`. */
export function explainFailure(action: string, error: unknown): DevboxError {
  return describe(error, (inner) => (inner === undefined ? action : `${action}: ${inner}`));
}

function describe(error: unknown, step: (inner: string | undefined) => string): DevboxError {
  if (!(error instanceof DevboxError)) {
    return new DevboxError(codeOf(error), { step: step(undefined), because: reasonOf(error), cause: error });
  }
  const { because, hint, cause } = error;
  return new DevboxError(error.code, {
    step: step(error.step),
    ...(because === undefined ? {} : { because }),
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

const codesByErrno: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "STORE_FULL",
  EDQUOT: "STORE_FULL",
  // Names and links that no file system takes are the archive's fault.
  ENAMETOOLONG: "LAYER_INVALID",
  ELOOP: "LAYER_INVALID",
  EFBIG: "LAYER_INVALID",
};

function codeOf(error: unknown): ErrorCode {
  const zlib = zlibCode(error);
  if (zlib !== undefined) return zlib === "Z_BUF_ERROR" ? "LAYER_TRUNCATED" : "LAYER_INVALID";
  return codesByErrno[errnoName(error) ?? ""] ?? "LAYER_IO";
}

/** node:zlib numbers its errors as it likes: they must not be read as errno. */
function reasonOf(error: unknown): string {
  return zlibCode(error) !== undefined && error instanceof Error ? error.message : describeCause(error);
}

function zlibCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^(Z_|ZSTD_)/.test(code) ? code : undefined;
}
