/** How devbox starts itself: as an apply worker, as a hook. */

/** Command line of this devbox: the compiled file, or Bun with the source. Arguments are appended. */
export function selfCommand(): readonly string[] {
  // Files embedded by `bun build --compile` have paths below this directory, main.ts among them.
  const compiled = Bun.main.startsWith("/$bunfs/");
  return compiled ? [process.execPath] : [process.execPath, `${import.meta.dir}/../main.ts`];
}
