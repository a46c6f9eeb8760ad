-- As in the ledger; apart from it, so that no migration holds both tables. What is sealed cannot be compressed, and is not tried.
DO $$
BEGIN
    ALTER TABLE deletion_chunks
        ALTER COLUMN reasons SET COMPRESSION lz4,
        ALTER COLUMN row_counts SET COMPRESSION lz4,
        ALTER COLUMN row_ids SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4: outcomes are compressed with pglz';
END
$$;
ALTER TABLE deletion_chunks ALTER COLUMN sealed_items SET STORAGE EXTERNAL;
