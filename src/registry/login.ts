/** Are these credentials good? For `devbox login`, before they are stored. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { Credentials } from "./credentials.ts";

export interface LoginCheck {
  readonly registry: string;
  readonly credentials: Credentials;
  readonly tlsVerify: boolean;
}

/** Ask the registry's `v2/` with these credentials. @throws REGISTRY_AUTH where it refuses them; REGISTRY_UNREACHABLE, … */
export async function checkLogin(_context: Context, { registry }: LoginCheck): Promise<void> {
  throw new DevboxError("INTERNAL", {
    step: `log in at ${registry}`,
    because: "not there yet",
  });
}
