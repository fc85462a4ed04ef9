import { instance } from '../cim.js';
import type { RuleHost } from '../machines/rules.js';
import type { InstanceSource } from '../store/store.js';

const MSCLUSTER = 'root/MSCluster';

/** The failover cluster that the host is a node of: no more of it than that it is there. */
export function clusterSource({ cluster }: RuleHost): readonly InstanceSource[] {
  if (cluster === undefined) return [];
  const properties = {
    Name: cluster,
    Caption: cluster,
    CreationClassName: 'MSCluster_Cluster',
    MaxNumberOfNodes: 64,
  };
  const list = () => [instance(MSCLUSTER, 'MSCluster_Cluster', properties)];
  return [{ namespace: MSCLUSTER, className: 'MSCluster_Cluster', list }];
}
