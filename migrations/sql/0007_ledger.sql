-- The two movements of every call, each one statement for the gateway: all of it or nothing.
-- Both lock wallets in the order of their ids, so that no two ever wait for each other.

-- Set credit aside for calls, in the order given. Gives the calls that their wallet can pay.
CREATE OR REPLACE FUNCTION place_holds(
  calls uuid[], wallets uuid[], amounts bigint[], ends timestamptz[]
)
RETURNS SETOF uuid LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  is_short boolean := cardinality(calls) = 1;
  i integer;
BEGIN
  -- A hold need not outlive a crash of the server: without it its call is settled for nothing.
  -- Not to wait for the disk here takes a quarter off the time of a call's two movements.
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM 1 FROM wallet WHERE id = ANY (wallets) ORDER BY id FOR UPDATE;
  IF NOT is_short THEN
    SELECT bool_or(w.id IS NULL OR w.balance - w.held < asked.amount) INTO is_short
    FROM (
      SELECT one.wallet_id, sum(one.amount) AS amount
      FROM unnest(wallets, amounts) AS one (wallet_id, amount) GROUP BY one.wallet_id
    ) AS asked LEFT JOIN wallet w ON w.id = asked.wallet_id;
  END IF;
  IF NOT is_short THEN
    -- All of it can be paid, so that each wallet is written once.
    UPDATE wallet w SET held = held + asked.amount
    FROM (
      SELECT one.wallet_id, sum(one.amount) AS amount
      FROM unnest(wallets, amounts) AS one (wallet_id, amount) GROUP BY one.wallet_id
    ) AS asked WHERE w.id = asked.wallet_id;
    INSERT INTO hold (call_id, wallet_id, amount, expires_at)
      SELECT * FROM unnest(calls, wallets, amounts, ends);
    RETURN QUERY SELECT unnest(calls);
    RETURN;
  END IF;
  FOR i IN 1 .. cardinality(calls) LOOP
    UPDATE wallet SET held = held + amounts[i]
      WHERE id = wallets[i] AND balance - held >= amounts[i];
    IF FOUND THEN
      INSERT INTO hold (call_id, wallet_id, amount, expires_at)
        VALUES (calls[i], wallets[i], amounts[i], ends[i]);
      RETURN NEXT calls[i];
    END IF;
  END LOOP;
END $$;

-- Turn holds into charges and write the records of their calls. A call whose hold is gone was
-- settled before, or its hold ran out: nothing is charged and nothing written for it.
-- Each array is a column of `call`, and `earners` the wallets that get the shares.
CREATE FUNCTION settle_calls(
  ids uuid[], parents uuid[], accounts uuid[], keys uuid[], algorithms uuid[], versions uuid[],
  earners uuid[], states text[], error_types text[], error_messages text[], royalties bigint[],
  computes bigint[], author_shares bigint[], queued float[], started float[], loaded float[],
  ran float[], durations float[], moments timestamptz[]
)
RETURNS SETOF uuid LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  market uuid := (SELECT id FROM wallet WHERE kind = 'market');
BEGIN
  PERFORM 1 FROM wallet
    WHERE id IN (
      SELECT h.wallet_id FROM hold h WHERE h.call_id = ANY (ids)
      UNION SELECT unnest(earners)
      UNION SELECT market
    ) ORDER BY id FOR UPDATE;
  IF EXISTS (
    SELECT 1 FROM unnest(ids, earners, royalties, computes) AS r (id, earner, royalty, compute)
    LEFT JOIN hold h ON h.call_id = r.id LEFT JOIN wallet w ON w.id = r.earner
    WHERE r.royalty + r.compute > h.amount OR w.id IS NULL
  ) THEN
    RAISE EXCEPTION 'a charge is above what was held for it, or has nobody to be shared with';
  END IF;

  RETURN QUERY
  WITH gone AS (
    DELETE FROM hold h WHERE h.call_id = ANY (ids)
    RETURNING h.call_id, h.wallet_id, h.amount
  ), settled AS (
    SELECT given.*, gone.wallet_id, gone.amount
    FROM unnest(
      ids, parents, accounts, keys, algorithms, versions, earners, states, error_types,
      error_messages, royalties, computes, author_shares, queued, started, loaded, ran, durations,
      moments
    ) AS given (
      id, parent_id, account_id, key_id, algorithm_id, version_id, earner, state, error_type,
      error_message, royalty, compute, author_share, queued_ms, started_ms, loaded_ms, ran_ms,
      duration_ms, created_at
    ) JOIN gone ON gone.call_id = given.id
  ), written AS (
    INSERT INTO call (
      id, parent_id, account_id, key_id, algorithm_id, version_id, state, error_type,
      error_message, royalty, compute, author_share, queued_ms, started_ms, loaded_ms, ran_ms,
      duration_ms, created_at
    ) SELECT
      id, parent_id, account_id, key_id, algorithm_id, version_id, state, error_type,
      error_message, royalty, compute, author_share, queued_ms, started_ms, loaded_ms, ran_ms,
      duration_ms, created_at
    FROM settled
  ), leg AS (
    SELECT s.id AS call_id, part.wallet_id, part.amount, part.kind, part.place
    FROM settled s CROSS JOIN LATERAL (VALUES
      (s.wallet_id, -s.royalty, 'royalty', 1),
      (s.wallet_id, -s.compute, 'compute', 2),
      (s.earner, s.author_share, 'share', 3),
      (market, s.royalty - s.author_share, 'cut', 4),
      (market, s.compute, 'compute', 5)
    ) AS part (wallet_id, amount, kind, place)
    WHERE part.amount <> 0
  ), entered AS (
    INSERT INTO entry (transaction_id, wallet_id, amount, kind, call_id, note, created_at)
    SELECT call_id, wallet_id, amount, kind, call_id, '', clock_timestamp()
    FROM leg ORDER BY call_id, place
  ), moved AS (
    -- One sum a wallet: a row can be updated once in a statement.
    SELECT each.wallet_id, sum(each.amount) AS amount, sum(each.released) AS released
    FROM (
      SELECT leg.wallet_id, leg.amount, 0 AS released FROM leg
      UNION ALL SELECT s.wallet_id, 0, s.amount FROM settled s
    ) AS each GROUP BY each.wallet_id
  ), paid AS (
    UPDATE wallet w SET balance = balance + moved.amount, held = held - moved.released
    FROM moved WHERE w.id = moved.wallet_id
  )
  SELECT settled.id FROM settled;
END $$;
