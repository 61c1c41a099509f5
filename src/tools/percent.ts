/** A share as people read it: 62 %, 6.2 %, 0.34 %, below 0.01 %. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return "0 %";
  if (value < 0.01) return "below 0.01 %";
  if (value < 1) return `${Number(value.toFixed(2))} %`;
  if (value < 10) return `${Number(value.toFixed(1))} %`;
  // "100 %" is said of all only.
  return `${share < 1 ? Math.min(99, Math.round(value)) : Math.round(value)} %`;
}
