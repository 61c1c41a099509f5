/** Takes its time, and leaves its thread free meanwhile. */
export const eachMessage = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 50));
};
