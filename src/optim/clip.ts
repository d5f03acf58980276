/**
 * The 2-norm over all gradients as if they were one vector. Summed in f64, so that many small elements
 * count; NaN or infinite where an element is, which is for the caller to stop at.
 */
export function globalNorm(gradients: ReadonlyMap<string, Float32Array>): number {
  let sum = 0;
  for (const values of gradients.values()) {
    for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  }
  return Math.sqrt(sum);
}

/** What gradients of this norm are multiplied by: min(1, max / (norm + 1e-6)), as torch's clip_grad_norm_. */
export function clipFactor(norm: number, max: number): number {
  return Math.min(1, max / (norm + 1e-6));
}

/** Multiplies every gradient in place. */
export function scaleGradients(gradients: ReadonlyMap<string, Float32Array>, factor: number): void {
  if (factor === 1) return;
  for (const values of gradients.values()) {
    for (let i = 0; i < values.length; i++) values[i] *= factor;
  }
}
