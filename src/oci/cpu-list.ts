/** Lists of processors and memory nodes as the kernel writes them: `0-3,7` (cpuset(7) "List format"). */

/** NR_CPUS of the kernel is at most 8192. */
const maxCpus = 8192;

/** The numbers, ascending; undefined for what is no list. An empty text is the empty list. */
export function parseCpuList(text: string): readonly number[] | undefined {
  const numbers = new Set<number>();
  const parts = text.trim() === "" ? [] : text.split(",");
  for (const part of parts) {
    const match = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part);
    if (match === null) return undefined;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (first > last || last >= maxCpus) return undefined;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}
