import { describe, expect, it } from 'vitest';
import { adamwStep, createAdamW } from '../../src/optim/adamw.ts';
import { clipFactor, globalNorm, scaleGradients } from '../../src/optim/clip.ts';
import { decode, loadFixture, relativeL2, type Stored } from '../support/parity.ts';
import { around } from '../support/seeded.ts';

interface Trajectory {
  norms: number[];
  final: Record<string, Stored>;
}
const { adamw, sizes } = loadFixture('optimizer') as {
  sizes: Record<string, number>;
  adamw: Record<'f32' | 'f64' | 'f32Clipped' | 'f64Clipped', Trajectory>;
};

const draws = (name: string, scale = 1) => around(['optimizer', name], sizes[name[0]], scale);

/** The twelve steps of reference/parity/optimizer.py: `a` decays, `b` does not. */
function run(clipped: boolean) {
  const state = createAdamW({ betas: [0.9, 0.98], eps: 1e-6, weightDecay: 0.3 });
  const parameters = Object.keys(sizes).map((name) => ({ name, values: draws(name), decay: name === 'a' }));
  const norms: number[] = [];
  for (let step = 0; step < 12; step++) {
    const gradients = new Map<string, Float32Array>();
    for (const { name } of parameters) {
      gradients.set(name, draws(`${name}.${step}`, [1, 1e-6, 0.05][step % 3]).fill(0, 0, 3));
    }
    norms.push(globalNorm(gradients));
    if (clipped) scaleGradients(gradients, clipFactor(norms[step], 0.5));
    adamwStep(state, parameters, gradients, 0.01 * (step + 1));
  }
  return { state, norms, parameters };
}

describe('adamwStep', () => {
  it.each([
    ['f32', false, 3e-7],
    ['f64', false, 3e-7],
    ['f32Clipped', true, 3e-7],
    ['f64Clipped', true, 3e-7],
  ] as const)('walks with torch in %s', (which, clipped, tolerance) => {
    const { parameters, norms } = run(clipped);
    for (const { name, values } of parameters)
      expect(relativeL2(values, decode(adamw[which].final[name]))).toBeLessThan(tolerance);
    if (clipped) expect(relativeL2(norms, adamw[which].norms)).toBeLessThan(2e-7);
  });

  it('keeps only plain data, which a clone continues from', () => {
    const { state, parameters } = run(false);
    const clone = structuredClone(state);
    const copies = structuredClone(parameters);
    const gradients = new Map(parameters.map(({ name }) => [name, draws(name)]));
    adamwStep(state, parameters, gradients, 0.01);
    adamwStep(clone, copies, gradients, 0.01);
    expect(state.step).toBe(13);
    expect(clone).toEqual(state);
    expect(copies).toEqual(parameters);
  });

  it('decays without a gradient, and leaves alone what does not decay', () => {
    const parameters = [true, false].map((decay) => ({
      name: `${decay}`,
      values: Float32Array.of(1, -2),
      decay,
    }));
    const gradients = new Map(parameters.map(({ name }) => [name, new Float32Array(2)]));
    adamwStep(createAdamW({ weightDecay: 0.5 }), parameters, gradients, 0.5);
    expect([...parameters[0].values]).toEqual([0.75, -1.5]);
    expect([...parameters[1].values]).toEqual([1, -2]);
  });

  it('leaves a parameter without a gradient alone, and counts its own steps', () => {
    const fresh = () => ({ name: 'w', values: Float32Array.of(1, -2), decay: true });
    const gradient = new Map([['w', Float32Array.of(0.5, 0.25)]]);
    const [state, other] = [createAdamW({ weightDecay: 0.5 }), createAdamW({ weightDecay: 0.5 })];
    const [parameter, always] = [fresh(), fresh()];
    adamwStep(state, [parameter], new Map(), 0.1);
    expect([...parameter.values]).toEqual([1, -2]);
    for (let i = 0; i < 2; i++) {
      adamwStep(state, [parameter], gradient, 0.1);
      adamwStep(state, [parameter], new Map(), 0.1);
      adamwStep(other, [always], gradient, 0.1);
    }
    expect(parameter).toEqual(always);
    expect(state.step).toBe(5);
    expect(state.moments).toEqual(other.moments);
  });

  it('refuses gradients that do not fit, before anything changes', () => {
    const state = createAdamW();
    const values = Float32Array.of(1, 2);
    const step = (gradients: [string, number][], names = ['w']) =>
      adamwStep(
        state,
        names.map((name) => ({ name, values, decay: true })),
        new Map(gradients.map(([name, length]) => [name, new Float32Array(length).fill(1)])),
        1,
      );
    expect(() => step([['w', 3]])).toThrow('gradient expected 2 values, got 3');
    expect(() =>
      step([
        ['w', 2],
        ['x', 2],
      ]),
    ).toThrow('tensor x: gradient expected only for trained parameters');
    expect(() => step([['w', 2]], ['w', 'w'])).toThrow('expected once each');
    expect([...values]).toEqual([1, 2]);
    expect(state).toEqual(createAdamW());
  });
});
