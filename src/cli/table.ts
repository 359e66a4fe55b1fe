/** One column of a table: its heading, and what stands there for a row. */
export type Column<T> = { readonly heading: string; readonly cell: (row: T) => string | number | undefined };

/** Between two columns. */
const gap = '   ';

/**
 * Columns as wide as what stands in them, with headings; what is unknown or empty is `-`. Cells come from other hosts, so
 * nothing in them moves the cursor or ends the line.
 */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [
    columns.map(({ heading }) => heading),
    ...rows.map((row) => columns.map(({ cell }) => printable(cell(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => cells[i]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join(gap)
        .trimEnd(),
    )
    .join('\n');
}

function printable(value: string | number | undefined): string {
  return (
    String(value ?? '')
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim() || '-'
  );
}
