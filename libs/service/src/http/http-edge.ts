import type { Call } from '@writ/kernel';
import type { Who } from '../edge.js';

/**
 * An HTTP edge is one class per public HTTP API: a method per route, and the table of routes that says who may take each.
 * A request goes through the very pipeline of a gRPC call. For APIs whose form is a foreign standard; whatever is our own
 * is a call of the contract.
 */

/** One method on one path, and who may use it. A `POST` takes a JSON object, a `GET` takes nothing. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** Exact: no parameters, no wildcard. What follows a `?` is not looked at. */
  readonly path: string;
  readonly who: readonly Who[];
}

export type Routes = Readonly<Record<string, Route>>;

/** Members of a JSON object that nobody vouches for. */
export type JsonMembers = Readonly<Record<string, unknown>>;

export interface HttpRequest {
  /** Empty for a `GET`. */
  readonly body: JsonMembers;
  /** `host:port` as the client spelled it; well-formed, and no more than its own word. */
  readonly host: string;
}

/** What an edge of `Table` must implement. Answers go out as JSON with status 200; a Refusal has its own status. */
export type HttpCalls<Table extends Routes> = {
  [Name in keyof Table]: (request: HttpRequest, call: Call) => Promise<object>;
};

/**
 * An HTTP edge as the server takes it.
 *
 * @example
 * export class AuthzenHttp implements HttpCalls<typeof authzenRoutes> {
 *   static readonly routes = authzenRoutes;
 * }
 */
export interface HttpEdgeClass<Table extends Routes = Routes> {
  // `never`: Nest supplies the constructor's arguments, nobody else constructs an edge.
  new (...dependencies: never[]): object;
  readonly routes: Table;
}
