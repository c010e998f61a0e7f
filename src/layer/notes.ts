/** What was not made as the archive says, for `-v`: one line a kind, however many files it met. */

export interface Notes {
  /** `kind` decides what counts as the same; the text of its first is kept. */
  add(kind: string, text: string): void;
  lines(): string[];
}

/** Kinds hold names from the archive: a hostile one could invent any number. */
const maxKinds = 100;

export function createNotes(): Notes {
  const kinds = new Map<string, { readonly text: string; count: number }>();
  return {
    add: (kind, text) => {
      const note = kinds.get(kind);
      if (note !== undefined) note.count++;
      else if (kinds.size < maxKinds) kinds.set(kind, { text, count: 1 });
    },
    lines: () =>
      [...kinds.values()].map(({ text, count }) => (count === 1 ? text : `${text} (and ${count - 1} more like it)`)),
  };
}
