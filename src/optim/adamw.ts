import { LorikeetError } from '../errors.ts';

export interface AdamWOptions {
  betas: readonly [first: number, second: number];
  eps: number;
  /** Decoupled from the gradient; used on parameters whose `decay` is true. */
  weightDecay: number;
}

/** Running means of a parameter's gradient and of its square, element for element. */
export interface Moments {
  /** Steps in which this parameter had a gradient; what its bias correction counts. */
  step: number;
  m: Float32Array<ArrayBuffer>;
  v: Float32Array<ArrayBuffer>;
}

/** Plain data: everything that the next step depends on besides parameters and gradients. */
export interface AdamWState extends AdamWOptions {
  /** Steps taken. */
  step: number;
  /** By parameter name; filled as parameters first have a gradient. */
  moments: Map<string, Moments>;
}

/** A parameter as the optimizer sees it; `values` is updated in place. */
export interface OptimizedParameter {
  name: string;
  values: Float32Array;
  /** False for biases and norm weights. */
  decay: boolean;
}

const defaults: AdamWOptions = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 };

export function createAdamW(options: Partial<AdamWOptions> = {}): AdamWState {
  return { ...defaults, ...options, step: 0, moments: new Map() };
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019) in torch's order: p *= 1 - lr wd; m and v;
 * p -= (lr / bc1) m / (sqrt(v) / sqrt(bc2) + eps), with bc = 1 - beta^step. Arithmetic in f64, stored in f32.
 *
 * A parameter that `gradients` does not name was not part of the step (the vision tower where no sample had an
 * image) and is left alone whole, as torch does: neither decay nor momentum moves it and its own step stands
 * still. That is not the same as a gradient of zeros. Everything is checked before anything is changed: throws
 * `training` where a gradient is left over or of another length.
 */
export function adamwStep(
  state: AdamWState,
  parameters: readonly OptimizedParameter[],
  gradients: ReadonlyMap<string, Float32Array>,
  learningRate: number,
): void {
  checkGradients(state, parameters, gradients);
  state.step++;
  for (const parameter of parameters) {
    const gradient = gradients.get(parameter.name);
    if (gradient) stepParameter(state, parameter, gradient, momentsOf(state, parameter), learningRate);
  }
}

function stepParameter(
  { betas: [beta1, beta2], eps, weightDecay }: AdamWOptions,
  { values, decay }: OptimizedParameter,
  gradient: Float32Array,
  moments: Moments,
  learningRate: number,
): void {
  const { m, v } = moments;
  const step = ++moments.step;
  const keep = decay ? 1 - learningRate * weightDecay : 1;
  const stepSize = learningRate / (1 - beta1 ** step);
  const rootOfCorrection = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i];
    m[i] += (1 - beta1) * (g - m[i]);
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    values[i] = values[i] * keep - (stepSize * m[i]) / (Math.sqrt(v[i]) / rootOfCorrection + eps);
  }
}

function momentsOf(state: AdamWState, { name, values }: OptimizedParameter): Moments {
  const known = state.moments.get(name);
  if (known) return known;
  const fresh = { step: 0, m: new Float32Array(values.length), v: new Float32Array(values.length) };
  state.moments.set(name, fresh);
  return fresh;
}

function checkGradients(
  state: AdamWState,
  parameters: readonly OptimizedParameter[],
  gradients: ReadonlyMap<string, Float32Array>,
): void {
  const seen = new Set<string>();
  for (const { name, values } of parameters) {
    if (seen.has(name)) refuse(name, 'parameter names expected once each, got this one twice');
    seen.add(name);
    const gradient = gradients.get(name);
    if (gradient && gradient.length !== values.length)
      refuse(name, `gradient expected ${values.length} values, got ${gradient.length}`);
    const held = state.moments.get(name);
    if (held && (held.m.length !== values.length || held.v.length !== values.length))
      refuse(name, `moments expected ${values.length} values, got ${held.m.length} and ${held.v.length}`);
  }
  for (const name of gradients.keys()) {
    if (!seen.has(name)) refuse(name, 'gradient expected only for trained parameters, got one for another');
  }
}

function refuse(tensor: string, what: string): never {
  throw new LorikeetError('training', {
    tensor,
    what,
    fix: 'Hand the optimizer the parameters that the compiled step names, each with its gradient or none.',
  });
}
