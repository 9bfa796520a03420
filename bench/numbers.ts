// Arithmetic on measurements.

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}

// What `share` (0 to 1) of the numbers do not exceed: between two of them, the mean by their distance.
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return low + (high - low) * (at - Math.floor(at))
}

export function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length)
}
