type Wake = (topic: string, partition: number) => void;

const listenersByDatabase = new Map<string, Set<Wake>>();

/**
 * Tells every bus of this process that stands on the same database about a publication, without a round trip.
 */
export const wakeHub = {
  listen(databaseId: string, wake: Wake): () => void {
    const listeners = listenersByDatabase.get(databaseId) ?? new Set();
    listenersByDatabase.set(databaseId, listeners);
    listeners.add(wake);
    return () => {
      listeners.delete(wake);
      if (listeners.size === 0) listenersByDatabase.delete(databaseId);
    };
  },

  wake(databaseId: string, topic: string, partition: number): void {
    for (const wake of listenersByDatabase.get(databaseId) ?? []) wake(topic, partition);
  },
};
