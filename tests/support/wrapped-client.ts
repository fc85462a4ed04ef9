import type { WsmanClient } from '@nova-hyperv/wsman';

/** A client whose methods can be replaced one by one. */
export function wrapped(client: WsmanClient): WsmanClient {
  return {
    get counters() {
      return client.counters;
    },
    identify: (options) => client.identify(options),
    get: (reference, options) => client.get(reference, options),
    put: (reference, instance, options) => client.put(reference, instance, options),
    create: (instance, options) => client.create(instance, options),
    delete: (reference, options) => client.delete(reference, options),
    query: (namespace, wql, options) => client.query(namespace, wql, options),
    enumerate: (namespace, className, options) => client.enumerate(namespace, className, options),
    associators: (source, filter, options) => client.associators(source, filter, options),
    references: (source, filter, options) => client.references(source, filter, options),
    invoke: (reference, method, parameters, options) => client.invoke(reference, method, parameters, options),
    close: () => client.close(),
  };
}
