/** Which registry is meant, how it is spoken to, and as whom; flags of docker's, podman's and skopeo's. */
import { DevboxError } from "../core/errors.ts";
import { formatReference, type Reference, type RegistryReference } from "../oci/reference.ts";
import type { RegistryAccess } from "../registry/access.ts";
import type { ArgumentDefs } from "./command.ts";

export const accessOptions = {
  "tls-verify": {
    type: "boolean",
    default: true,
    description: "Verify certificates, and speak https with all but loopback",
    negativeDescription: "Accept any certificate, and plain http",
  },
  creds: {
    type: "string",
    valueHint: "USER:PASSWORD",
    description: "Instead of those of a login; seen by others in ps",
  },
  authfile: {
    type: "string",
    valueHint: "FILE",
    completes: "files",
    description: "File of logins; default: $REGISTRY_AUTH_FILE, or podman's, then docker's",
  },
} as const satisfies ArgumentDefs;

/** Of a command that speaks with two: each as its own, the file for both. */
export const sourceAccessOptions = {
  "src-tls-verify": {
    ...accessOptions["tls-verify"],
    description: "Verify certificates of the source, and speak https with all but loopback",
    negativeDescription: "Accept any certificate of the source, and plain http",
  },
  "src-creds": { ...accessOptions.creds, description: "Of the source, instead of those of a login" },
  "src-authfile": { ...accessOptions.authfile, description: "As --authfile, of the source alone" },
} as const satisfies ArgumentDefs;

export const destinationAccessOptions = {
  "dest-tls-verify": {
    ...accessOptions["tls-verify"],
    description: "As --src-tls-verify, of the destination",
    negativeDescription: "Accept any certificate of the destination, and plain http",
  },
  "dest-creds": { ...accessOptions.creds, description: "Of the destination, instead of those of a login" },
  "dest-authfile": { ...accessOptions.authfile, description: "As --authfile, of the destination alone" },
} as const satisfies ArgumentDefs;

interface AccessValues {
  readonly tlsVerify: boolean;
  readonly creds: string | undefined;
  readonly authFile: string | undefined;
}

/** @throws DevboxError USAGE */
export async function readAccess({ tlsVerify, creds, authFile }: AccessValues): Promise<RegistryAccess> {
  const { resolve } = await import("node:path");
  return {
    tlsVerify,
    ...(creds === undefined ? {} : { credentials: parseCredentials(creds) }),
    ...(authFile === undefined ? {} : { authFile: resolve(authFile) }),
  };
}

/** What stands before the first colon is the user (RFC 7617 section 2). */
function parseCredentials(text: string): NonNullable<RegistryAccess["credentials"]> {
  const colon = text.indexOf(":");
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon > 0 && password !== "") return { kind: "password", username, password, source: "the command line" };
  // What was given may be a password: it is not repeated.
  throw new DevboxError("USAGE", {
    step: "read the credentials of the command line",
    because: "they are not of the form USER:PASSWORD",
    hint: "devbox login asks for a password, and keeps it",
  });
}

/** Of the commands that speak with one registry. */
export function readOneAccess(values: {
  readonly "tls-verify": boolean;
  readonly creds: string | undefined;
  readonly authfile: string | undefined;
}): Promise<RegistryAccess> {
  return readAccess({ tlsVerify: values["tls-verify"], creds: values.creds, authFile: values.authfile });
}

/** @throws DevboxError USAGE for files and directories */
export function requireRegistry(reference: Reference, step: string): RegistryReference {
  if (reference.kind === "registry") return reference;
  const because = `${formatReference(reference)} is no name of a registry`;
  throw new DevboxError("USAGE", { step, because, hint: "for example ghcr.io/owner/name:1" });
}
