"""What is kept beside the database: files in a folder or an object store."""
