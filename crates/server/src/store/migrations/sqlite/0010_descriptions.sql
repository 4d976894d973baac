-- Of which versions of a vault, its policy, the instance and what they need the description in a repository
-- was written last; empty when none was. It is what a catalogue is rebuilt from when it is lost.
ALTER TABLE repositories ADD COLUMN described TEXT NOT NULL DEFAULT '';
