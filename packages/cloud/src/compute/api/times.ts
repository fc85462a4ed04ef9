/** `2026-01-31T12:00:00.000000`: Nova's times of services, actions and usage; the zone, UTC, is left unsaid. */
export const novaTime = (date: Date | string | null): string | null =>
  date === null ? null : `${new Date(date).toISOString().slice(0, -1)}000`;
