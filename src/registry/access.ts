/** How a registry is spoken to, and as whom. */
import type { Credentials } from "./authentication/credentials.ts";

export interface RegistryAccess {
  /** false: any certificate, and plain http to any host. */
  readonly tlsVerify: boolean;
  /** Instead of those in the user's files. */
  readonly credentials?: Credentials;
  /** The one file in which credentials are looked up first, instead of `$REGISTRY_AUTH_FILE`. Absolute path. */
  readonly authFile?: string;
}
