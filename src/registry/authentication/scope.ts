/**
 * Scopes of tokens (distribution "Token Scope Documentation"): `repository:library/alpine:pull,push`, several separated by
 * spaces.
 */

/** The scope that names all that is named in any of `scopes`; actions on the same resource come together. */
export function mergeScopes(scopes: readonly string[]): string {
  const actionsOf = new Map<string, Set<string>>();
  for (const scope of scopes.flatMap((text) => text.split(" ")).filter((text) => text !== "")) {
    // The name may have colons of its own: a host with a port. What is no scope of this form stays as it is.
    const [, resource = scope, actions] = /^([^:]+:.+):([^:]*)$/.exec(scope) ?? [];
    const known = actionsOf.get(resource) ?? new Set();
    for (const action of actions?.split(",") ?? []) known.add(action);
    actionsOf.set(resource, known);
  }
  return Array.from(actionsOf, ([resource, actions]) =>
    actions.size === 0 ? resource : `${resource}:${[...actions].join(",")}`,
  ).join(" ");
}
