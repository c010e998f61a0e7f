/** The changes as docker names them: A added, C changed, D deleted. */
import { type ByteString, bytesOf } from "../byte-string.ts";
import type { Emit } from "../copy/pack-entry.ts";
import type { ChangesRequest } from "../copy/request.ts";
import { walkChanges } from "./walk.ts";

/** `A /path`, each with a NUL behind it, in no order. */
export function listChanges(request: ChangesRequest, emit: Emit): void {
  const tell = (kind: "A" | "C" | "D", path: ByteString): void => emit(bytesOf(`${kind} /${path}\0`));
  walkChanges(request, {
    directory(path, _directory, below) {
      if (path !== "") tell(below.kind === "absent" ? "A" : "C", path);
    },
    other: (path, _named, below) => tell(below().kind === "absent" ? "A" : "C", path),
    deleted: (path) => tell("D", path),
    hidden: (path) => tell("D", path),
  });
}
