/** Times are ISO 8601 text. */
export type PlacementTables = {
  placement_provider: ProviderRow;
  placement_inventory: InventoryRow;
  placement_provider_trait: { provider_uuid: string; trait: string };
  placement_custom_trait: { name: string };
  placement_custom_class: { name: string };
  placement_aggregate: { provider_uuid: string; aggregate_uuid: string };
  placement_consumer: ConsumerRow;
  placement_allocation: AllocationRow;
};

export interface ProviderRow {
  uuid: string;
  name: string;
  generation: number;
  parent_uuid: string | null;
  root_uuid: string;
  updated_at: string;
}

export interface InventoryRow {
  provider_uuid: string;
  resource_class: string;
  total: number;
  reserved: number;
  min_unit: number;
  max_unit: number;
  step_size: number;
  allocation_ratio: number;
}

export interface ConsumerRow {
  uuid: string;
  generation: number;
  project_id: string;
  user_id: string;
  consumer_type: string;
}

export interface AllocationRow {
  consumer_uuid: string;
  provider_uuid: string;
  resource_class: string;
  used: number;
}
