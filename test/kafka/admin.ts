import type { Admin, Kafka } from "kafkajs";

const POLL_MS = 50;
const ATTEMPTS = 400;

/** Does something with an admin of kafkajs, which is connected for it. */
export async function withAdmin<R>(kafka: Kafka, act: (admin: Admin) => Promise<R>): Promise<R> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await act(admin);
  } finally {
    await admin.disconnect();
  }
}

/**
 * Creates a topic; settles once every partition can be written.
 *
 * kafkajs's own waiting fails when the broker that it asks has not heard of the topic yet.
 *
 * @returns false: it was there.
 * @throws {Error} When it cannot be written after 20 s.
 */
export async function newTopic(
  admin: Admin,
  topic: string,
  numPartitions: number,
): Promise<boolean> {
  const made = await admin.createTopics({
    topics: [{ topic, numPartitions }],
    waitForLeaders: false,
  });
  if (!made) return false;
  for (let attempt = 1; ; attempt++) {
    try {
      // Asks every partition's leader.
      await admin.fetchTopicOffsets(topic);
      return true;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
