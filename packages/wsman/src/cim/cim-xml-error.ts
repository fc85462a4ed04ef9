import { WsmanError } from '../errors.js';

/** A text is no CIM-XML instance, or an instance cannot be written as one. */
export class CimXmlError extends WsmanError {
  constructor(message: string, options?: ErrorOptions) {
    super('WSMAN_CIM_XML', message, options);
  }
}
