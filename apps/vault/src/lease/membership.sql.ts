/** Since PostgreSQL 16 the creator of a role may give itself its rights and does not have them by itself. */
const OPTIONS_SINCE = 160_000;

/**
 * Gives the administrator the rights of a login, so that what it owns can be handed on.
 * @param role quoted
 * @param serverVersion `server_version_num`: before 16 a grant has no options, and inherits by the grantee's attribute
 */
export function membershipSql(role: string, serverVersion: number): string {
  const grant = `grant ${role} to current_user`;
  return serverVersion >= OPTIONS_SINCE ? `${grant} with inherit true` : grant;
}
