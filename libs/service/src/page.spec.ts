import { describe, expect, it } from '@jest/globals';
import { Pages } from './page.js';

const pages = new Pages(new Uint8Array(32).fill(7));
const scope = { call: 'ListAgents', owner: 'payments' };
const rows = ['a', 'b', 'c', 'd', 'e'];

function read(page: { size: number; after: string | undefined }): string[] {
  return rows.filter((row) => page.after === undefined || row > page.after).slice(0, page.size + 1);
}

describe('a list in pages', () => {
  it('gives every row once and an empty token only at the end', () => {
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = pages.open({ pageSize: 2, pageToken }, scope);
      const cut = page.cut(read(page), (row) => row);
      seen.push(...cut.rows);
      pageToken = cut.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual(rows);
  });

  it('has 50 rows a page by default and 200 at most, whatever is asked', () => {
    expect(pages.open({ pageSize: 0, pageToken: '' }, scope).size).toBe(50);
    expect(pages.open({ pageSize: 100_000, pageToken: '' }, scope).size).toBe(200);
    expect(() => pages.open({ pageSize: -1, pageToken: '' }, scope)).toThrow('`page_size`');
  });

  it('does not go on with another filter, a made-up token, or the token of another service', () => {
    const pageToken = pages.open({ pageSize: 2, pageToken: '' }, scope).next('b');
    expect(() => pages.open({ pageSize: 2, pageToken }, { ...scope, owner: 'hr' })).toThrow('`page_token`');
    expect(() => pages.open({ pageSize: 2, pageToken: 'made-up' }, scope)).toThrow('`page_token`');
    expect(() => pages.open({ pageSize: 2, pageToken: `${pageToken}A` }, scope)).toThrow('`page_token`');
    const other = new Pages(new Uint8Array(32).fill(8));
    expect(() => other.open({ pageSize: 2, pageToken }, scope)).toThrow('`page_token`');
    expect(pages.open({ pageSize: 2, pageToken }, scope).after).toBe('b');
  });
});
