/**
 * The user namespace of a container whose config.json leaves it to the runtime, as crun has it: who is not root cannot do
 * without one, and one without mappings gets the default ones of its user (subordinate ids, as boxes have them).
 */
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { defaultIdMap } from "../host/id-map.ts";
import type { IdMap, LinuxConfig, Namespace } from "../oci/runtime.ts";

/** @throws DevboxError where the map of root cannot be made; who has no ids but its own gets a map of that one */
export function withUserNamespace(linux: LinuxConfig, facts: HostFacts): LinuxConfig {
  const namespaces = withOne(linux.namespaces, facts);
  const made = namespaces.find(({ type, path }) => type === "user" && path === undefined);
  const isMapped = [...(linux.uidMappings ?? []), ...(linux.gidMappings ?? [])].length > 0;
  if (made === undefined || isMapped) return linux;
  const { uid, gid } = mapOf(facts);
  return { ...linux, namespaces, uidMappings: uid, gidMappings: gid };
}

function withOne(namespaces: readonly Namespace[], { uid }: HostFacts): readonly Namespace[] {
  return uid === 0 || namespaces.some(({ type }) => type === "user") ? namespaces : [...namespaces, { type: "user" }];
}

/** Root of the container alone is enough for most: without subordinate ids it is mapped to the caller (user_namespaces(7)). */
function mapOf(facts: HostFacts): IdMap {
  try {
    return defaultIdMap(facts);
  } catch (error) {
    if (!(error instanceof DevboxError && (error.code === "NO_SUBIDS" || error.code === "NO_NEWUIDMAP"))) throw error;
    const own = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
    return { uid: own(facts.uid), gid: own(facts.gid) };
  }
}
