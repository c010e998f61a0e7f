/** What properties of config.json demand of each other, and what is passed over with a warning. */
import { fail, isAbsent, type JsonPlace, member } from "./json.ts";
import { processWarnings } from "./parse-runtime-process.ts";
import type { NamespaceType, ParsedConfig } from "./runtime.ts";
import { sysctlNamespace, sysctlParts } from "./sysctl.ts";

/** @throws BAD_CONFIG for what would change the host's own, or could not come true; runc refuses the same. */
export function checkTogether(root: JsonPlace, config: ParsedConfig): void {
  const linux = member(root, "linux");
  const has = (type: NamespaceType): boolean => config.linux.namespaces.some((namespace) => namespace.type === type);
  const need = (place: JsonPlace, value: unknown, type: NamespaceType): void => {
    if (!isNothing(value) && !has(type)) fail(place, `it needs a ${type} namespace in linux.namespaces`);
  };
  need(member(root, "hostname"), config.hostname, "uts");
  need(member(root, "domainname"), config.domainname, "uts");
  if (isAbsent(linux)) return;
  for (const key of ["uidMappings", "gidMappings"] as const) need(member(linux, key), config.linux[key], "user");
  for (const key of ["maskedPaths", "readonlyPaths"] as const) need(member(linux, key), config.linux[key], "mount");
  need(member(linux, "netDevices"), config.linux.netDevices, "network");
  need(member(linux, "timeOffsets"), config.linux.timeOffsets, "time");
  checkTimeOffsets(linux, config);
  checkSysctls(member(linux, "sysctl"), config, has);
  checkIdmaps(member(root, "mounts"), config, has("user"));
}

/** Nothing, or nothing in it. */
function isNothing(value: unknown): boolean {
  return value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}

/** The clocks of a namespace with processes in it cannot be set (time_namespaces(7)). */
function checkTimeOffsets(linux: JsonPlace, { linux: { namespaces, timeOffsets } }: ParsedConfig): void {
  if (isNothing(timeOffsets) || namespaces.some(({ type, path }) => type === "time" && path === undefined)) return;
  fail(member(linux, "timeOffsets"), "the time namespace is not a new one");
}

function checkSysctls(place: JsonPlace, config: ParsedConfig, has: (type: NamespaceType) => boolean): void {
  for (const [name, value] of Object.entries(config.linux.sysctl ?? {})) {
    const parts =
      sysctlParts(name) ??
      fail(place, `${JSON.stringify(name)} is no name of a kernel parameter: it contains an invalid path`);
    const type = sysctlNamespace(parts) ?? fail(place, `${name} is the host's, no namespace has its own`);
    if (parts.join(".") === "kernel.hostname") fail(place, `${name} is what "hostname" sets`);
    const { domainname } = config;
    if (parts.join(".") === "kernel.domainname" && domainname !== undefined && domainname !== value)
      fail(place, `${name} is ${JSON.stringify(value)}, "domainname" is ${JSON.stringify(domainname)}`);
    if (!has(type)) fail(place, `${name} is the host's without a ${type} namespace in linux.namespaces`);
  }
}

/** config.md "Linux mount options": `idmap` without mappings takes those of the user namespace. */
function checkIdmaps(place: JsonPlace, { mounts }: ParsedConfig, hasUserNamespace: boolean): void {
  mounts.forEach(({ options = [], uidMappings = [] }, index) => {
    const asked = options.find((option) => option === "idmap" || option === "ridmap");
    if (asked === undefined || uidMappings.length > 0 || hasUserNamespace) return;
    const mount = { ...place, path: `${place.path}[${index}].options` };
    fail(mount, `${asked} needs uidMappings and gidMappings, or a user namespace`);
  });
}

/** Of a document that was read without complaint. */
export function collectWarnings(root: JsonPlace): readonly string[] {
  const process = member(root, "process");
  return [...relativeDestinations(member(root, "mounts")), ...(isAbsent(process) ? [] : processWarnings(process))];
}

function relativeDestinations(place: JsonPlace): readonly string[] {
  if (!Array.isArray(place.value)) return [];
  const mounts: readonly { readonly destination: string }[] = place.value;
  return mounts.flatMap(({ destination }, index) =>
    destination.startsWith("/")
      ? []
      : [`mounts[${index}].destination: ${destination} is relative, which is deprecated; /${destination} is taken`],
  );
}
