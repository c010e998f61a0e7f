/** An interpreter for the part of classic BPF that seccomp filters are made of (linux/bpf_common.h, seccomp(2)). */

export interface SeccompData {
  readonly number: number;
  readonly arch: number;
  readonly args: readonly bigint[];
}

/** struct seccomp_data: nr, arch, instruction_pointer, args[6]. */
function seccompData({ number, arch, args }: SeccompData): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, number, true);
  view.setUint32(4, arch, true);
  for (const [index, value] of args.entries()) view.setBigUint64(16 + index * 8, value, true);
  return view;
}

/** What the filter returns; throws where the kernel's checker would refuse the program. */
export function runFilter(instructions: Uint8Array, data: SeccompData): number {
  const program = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const input = seccompData(data);
  let accumulator = 0;
  for (let at = 0; at * 8 < program.byteLength; ) {
    const code = program.getUint16(at * 8, true);
    const yes = program.getUint8(at * 8 + 2);
    const no = program.getUint8(at * 8 + 3);
    const k = program.getUint32(at * 8 + 4, true);
    at += 1;
    switch (code) {
      case 0x20:
        if (k % 4 !== 0 || k > 60) throw new Error(`load from ${k}`);
        accumulator = input.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += accumulator === k ? yes : no;
        break;
      case 0x25:
        at += accumulator > k ? yes : no;
        break;
      case 0x35:
        at += accumulator >= k ? yes : no;
        break;
      case 0x06:
        return k;
      default:
        throw new Error(`instruction ${code.toString(16)}`);
    }
  }
  throw new Error("ran off the end of the program");
}
