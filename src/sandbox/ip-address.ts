/** IP addresses as the kernel has them. */

const AF_INET = 2;
const AF_INET6 = 10;

/** The bytes of an address that the kernel has written: `192.0.2.1`, `2001:db8::1`. */
export function addressBytes(address: string): { readonly family: number; readonly bytes: Uint8Array } {
  if (!address.includes(":")) return { family: AF_INET, bytes: new Uint8Array(address.split(".").map(Number)) };
  const [head = "", tail] = address.split("::");
  const before = words(head);
  const after = words(tail ?? "");
  const gap = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...new Array<number>(gap).fill(0), ...after];
  return { family: AF_INET6, bytes: new Uint8Array(all.flatMap((word) => [word >> 8, word & 0xff])) };
}

function words(part: string): number[] {
  return part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
}
