/** The registry of `login` and `logout`, as people write it. */
import { DevboxError } from "../core/errors.ts";
import type { LoginName } from "../registry/authentication/login-store.ts";

/**
 * `HOST[:PORT][/NAMESPACE…]`, also as the URL that old docker versions took: `https://HOST/v2/`.
 * @param text undefined: docker.io
 * @throws DevboxError USAGE
 */
export function loginName(text: string | undefined): LoginName {
  if (text === undefined) return { registry: "docker.io", namespace: "" };
  const bare = text.replace(/^https?:\/\//, "").replace(/(?:\/v[12])?\/*$/, "");
  const [registry = "", ...rest] = bare.split("/");
  const namespace = rest.join("/");
  const isName = /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]*)(?::\d{1,5})?$/.test(registry);
  if (isName && /^(?:[a-z0-9._-]+(?:\/[a-z0-9._-]+)*)?$/.test(namespace)) return { registry, namespace };
  throw new DevboxError("USAGE", {
    step: `read the registry ${JSON.stringify(text)}`,
    because: "it is not HOST[:PORT][/NAMESPACE]",
    hint: "for example: devbox login registry.example.com:5000",
  });
}
