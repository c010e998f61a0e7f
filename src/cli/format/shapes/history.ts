/** The fields of a step in an image's history (docker/cli, formatter/history.go). */
import type { HistoryStep } from "../../../image/shown/history.ts";
import { ago, decimalSize, shortened } from "../docker-words.ts";
import type { ListShape } from "../list.ts";

export interface HistoryWords {
  readonly now: Date;
  /** Nothing is cut. */
  readonly full: boolean;
  /** false: sizes in bytes, times as the image says them. */
  readonly human: boolean;
}

/** docker's width of the column. */
const longestCommand = 45;

export function historyShape({ now, full, human }: HistoryWords): ListShape<HistoryStep> {
  return {
    fields: {
      ID: { title: "IMAGE", value: (step) => shortStepId(step, full) },
      CreatedSince: { title: "CREATED", value: ({ created }) => (human ? ago(created, now) : (created ?? "unknown")) },
      CreatedAt: { title: "CREATED AT", value: ({ created }) => created ?? "unknown" },
      CreatedBy: {
        title: "CREATED BY",
        value: ({ createdBy }) => {
          const line = createdBy.replaceAll("\t", " ");
          return full ? line : shortened(line, longestCommand);
        },
      },
      Size: { title: "SIZE", value: ({ sizeBytes }) => (human ? decimalSize(sizeBytes) : String(sizeBytes)) },
      Comment: { title: "COMMENT", value: ({ comment }) => comment },
    },
    table: `{{.ID}}\t{{.${human ? "CreatedSince" : "CreatedAt"}}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
  };
}

/** Of steps before the last nobody has an image. */
export function shortStepId({ id }: HistoryStep, full: boolean): string {
  if (id === undefined) return "<missing>";
  return full ? id : id.replace(/^sha\d+:/, "").slice(0, 12);
}
