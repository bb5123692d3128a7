import { afterAll, beforeAll } from '@jest/globals';
import { PostgresBus } from '../src/postgres-bus.js';
import { describeDelivery } from './delivery.contract.js';
import { World } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

describeDelivery('PostgreSQL', {
  world: () => world,
  // The sink's role: any service's may publish and consume.
  bus: (pair) => new PostgresBus(world.connect(pair.sink), world.log),
});
