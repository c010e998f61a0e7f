/** An interpreter for the part of eBPF that device programs are made of (linux/bpf.h, Documentation/bpf/instruction-set). */

export interface DeviceRequest {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Some of "rwm". */
  readonly access: string;
}

const bits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor. */
function context({ type, major, minor, access }: DeviceRequest): DataView {
  const view = new DataView(new ArrayBuffer(12));
  const wanted = [...access].reduce((sum, letter) => sum | (bits[letter] ?? 0), 0);
  view.setUint32(0, (wanted << 16) | (type === "b" ? 1 : 2), true);
  view.setUint32(4, major, true);
  view.setUint32(8, minor, true);
  return view;
}

/** Whether the program allows the request; throws where the kernel's verifier would refuse the program. */
export function runDeviceProgram(instructions: Uint8Array, request: DeviceRequest): boolean {
  const program = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  requireReachable(program);
  const input = context(request);
  const registers: (number | undefined)[] = Array.from({ length: 11 });
  const get = (index: number): number => {
    const value = registers[index];
    if (value === undefined) throw new Error(`register ${index} is not set`);
    return value;
  };
  for (let at = 0; at * 8 < program.byteLength; ) {
    const { code, to, from, offset, value } = decode(program, at);
    at += 1;
    switch (code) {
      case 0x61:
        if (from !== 1) throw new Error(`load through register ${from}`);
        registers[to] = input.getUint32(offset, true);
        break;
      case 0xbf:
        registers[to] = get(from);
        break;
      case 0xb7:
        registers[to] = value;
        break;
      case 0x54:
        registers[to] = (get(to) & value) >>> 0;
        break;
      case 0x74:
        registers[to] = get(to) >>> value;
        break;
      case 0x05:
        at += offset;
        break;
      case 0x55:
        if (get(to) !== value) at += offset;
        break;
      case 0x45:
        if ((get(to) & value) !== 0) at += offset;
        break;
      case 0x95:
        return get(0) === 1;
      default:
        throw new Error(`instruction ${code.toString(16)}`);
    }
  }
  throw new Error("ran off the end of the program");
}

function decode(program: DataView, at: number) {
  const registers = program.getUint8(at * 8 + 1);
  return {
    code: program.getUint8(at * 8),
    to: registers & 0xf,
    from: registers >> 4,
    offset: program.getInt16(at * 8 + 2, true),
    value: program.getInt32(at * 8 + 4, true),
  };
}

/** "unreachable insn" and jumps out of the program are what the verifier looks for first. */
function requireReachable(program: DataView): void {
  const count = program.byteLength / 8;
  const seen = new Set<number>();
  const pending = [0];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (at < 0 || at >= count) throw new Error(`jump to ${at} of ${count}`);
    if (seen.has(at)) continue;
    seen.add(at);
    const { code, offset } = decode(program, at);
    if (code === 0x95) continue;
    if (code === 0x05) pending.push(at + 1 + offset);
    else if (code === 0x55 || code === 0x45) pending.push(at + 1, at + 1 + offset);
    else pending.push(at + 1);
  }
  if (seen.size !== count) throw new Error(`${count - seen.size} of ${count} instructions cannot be reached`);
}
