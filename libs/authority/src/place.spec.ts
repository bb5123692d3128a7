import { describe, expect, it } from '@jest/globals';
import { placeCovers, placeProblem, placeWithin } from './place.js';

describe('a place', () => {
  it.each([
    'invoices',
    'invoices/1',
    '/v1/invoices',
    'tools/call',
    'https://erp.example/v1',
    'erp.public.invoices',
    'a..b',
  ])('may be %s', (place) => expect(placeProblem(place, 'exact')).toBeUndefined());

  it.each([
    'a/../b',
    '..',
    'a/.',
    'a/..;x/b',
    'a//b',
    'a/',
    '/',
    'a\\b',
    'a/%2e%2e/b',
    'a%2Fb',
    'a%252e',
    'a/*',
    '*',
    'https://erp@evil.example/v1',
    'https://erp.example/v1?x=1',
    'https://erp.example/v1#x',
    'file:///etc',
  ])('of an action is never %s', (place) => expect(placeProblem(place, 'exact')).toBeDefined());

  it.each(['*', '/*', 'a*', 'a/b*', 'a/*/c', 'a/**', '*/a', 'https://*', 'https://*.example/*', 'a/../*'])(
    'is never the pattern %s',
    (pattern) => expect(placeProblem(pattern, 'pattern')).toBeDefined(),
  );

  it.each(['invoices/*', '/v1/*', 'https://erp.example/*'])('may be the pattern %s', (pattern) =>
    expect(placeProblem(pattern, 'pattern')).toBeUndefined(),
  );

  it.each([
    ['invoices/*', 'invoices/1', true],
    ['invoices/*', 'invoices/1/lines', true],
    ['invoices/*', 'invoices', false],
    ['invoices/*', 'invoices/', false],
    ['invoices/*', 'invoices2/1', false],
    ['invoices/*', 'Invoices/1', false],
    ['invoices/*', 'invoices/../payroll', false],
    ['invoices/*', 'invoices/*', false],
    ['invoices', 'invoices', true],
    ['invoices', 'invoices/1', false],
    ['https://erp.example/*', 'https://erp.example.evil/x', false],
    ['https://erp.example/*', 'http://erp.example/x', false],
  ])('%s covers %s: %p', (pattern, place, expected) => expect(placeCovers(pattern, place)).toBe(expected));

  it.each([
    ['a/*', 'a/*', true],
    ['a/b', 'a/*', true],
    ['a/b/*', 'a/*', true],
    ['a/*', 'a/b', false],
    ['a/*', 'a/b/*', false],
    ['a', 'a/*', false],
    ['ab/*', 'a/*', false],
    ['a/../b', 'a/*', false],
  ])('%s lies within %s: %p', (child, parent, expected) => expect(placeWithin(child, parent)).toBe(expected));
});
