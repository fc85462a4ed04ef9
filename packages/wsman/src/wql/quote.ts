import { WsmanError } from '../errors.js';

/**
 * A WQL string literal with its quotes. A backslash and a quote get a backslash before them.
 *
 * @example `SELECT * FROM Msvm_ComputerSystem WHERE ElementName = ${wqlString("it's")}`
 */
export function wqlString(value: string): string {
  // Nothing below space is part of a name on Windows, and XML could not carry most of them.
  if (/\p{Cc}/u.test(value)) {
    throw new WsmanError('WSMAN_WQL_VALUE', 'A control character cannot be part of a WQL string; remove it');
  }
  return `'${value.replaceAll(/[\\']/gu, String.raw`\$&`)}'`;
}

/** The pattern `value%` as a literal, for LIKE; `%`, `_` and `[` in the value stand for themselves. */
export function wqlLikePrefix(value: string): string {
  return wqlString(`${likeLiteral(value)}%`);
}

/** The pattern `%value` as a literal, for LIKE. */
export function wqlLikeSuffix(value: string): string {
  return wqlString(`%${likeLiteral(value)}`);
}

function likeLiteral(value: string): string {
  return value.replaceAll(/[%_[]/gu, '[$&]');
}
