"""The school's office: search of students, and paid access."""
