"""The ground that every other package stands on: settings, database, errors, accounts."""
