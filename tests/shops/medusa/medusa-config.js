// A Medusa shop for the tests: its data in PostgreSQL, everything else in memory, no admin pages.
const { defineConfig } = require('@medusajs/framework/utils');

const here = `http://127.0.0.1:${process.env.SHOP_PORT}`;

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.SHOP_DATABASE,
    databaseDriverOptions: { connection: { ssl: false } },
    http: { storeCors: here, adminCors: here, authCors: here, jwtSecret: 'tests-only', cookieSecret: 'tests-only' },
  },
});
