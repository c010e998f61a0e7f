/** Names of containers: what `create` takes, and every other command looks up. */
import { DevboxError } from "../core/errors.ts";

/** One name of a directory (NAME_MAX), and nothing that a shell or a path could read otherwise; runc takes the same characters. */
const pattern = /^(?!\.)[A-Za-z0-9_+.-]{1,255}$/;

/** @throws DevboxError USAGE for what is no name: it never becomes part of a path. */
export function checkContainerId(id: string): string {
  if (pattern.test(id)) return id;
  const invalid = /[^A-Za-z0-9_+.-]|^\./u.exec(id)?.[0];
  const which = invalid === undefined ? "" : `invalid character ${JSON.stringify(invalid)} in the container ID; `;
  throw new DevboxError("USAGE", {
    step: `container ${JSON.stringify(id)}`,
    because: `invalid id format: ${which}1 to 255 of A-Z a-z 0-9 _ + . - and no . at the beginning`,
  });
}
