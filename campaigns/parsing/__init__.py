"""From the text of a campaign file to values with their lines, and from what is wrong there to messages."""
