// Remembers for a year, in this browser alone, that the first visit's cards were closed.
export default function ({ data }) {
  document.cookie = `${data.name}=1; max-age=31536000; path=/; SameSite=Strict`;
}
